"""The adversarial symmetric VAE: p(x, z) = p(z) p(x | z) and q(x, z) = q(x) q(z | x), each drawn to the other.

    max over θ, φ of   E_q(x,z)[ log p(x | z) − f1(x, z) ]  +  E_p(x,z)[ log q(z | x) − f2(x, z) ]        (eq. 5.15)

The first half is AS-VAE-r, the second AS-VAE-g (Pu 2017, chapter 5). The critics stand for what is not known,

    f1* = log q(x, z) − log p(x) p(z),     f2* = log p(x, z) − log q(x) q(z),

and learn from pairs with codes or images of others (eqs. 5.3, 5.4). Two players step in turn: the critics
with the model held, the model with the critics held. By the gradients through the critics' inputs, the first half is
then a VAE, the second KL(p(x, z) ‖ q(x, z)) in θ and the sleep phase of wake-sleep in φ.
"""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tfvae import ranges
from tfvae.layers import posterior as posteriors
from tfvae.models import adversarial
from tfvae.models.base import Objective, all_images
from tfvae.models.players import Player
from tfvae.networks import critic as critics
from tfvae.networks import mlp
from tfvae.probability import noise

HALVES = {"full": ("f1", "f2"), "r": ("f1",), "g": ("f2",)}
CRITICS = ("residual", "mlp")


@dataclasses.dataclass
class Config:
    """AS-VAE of Pu 2017, chapter 5.

    Args:
        latent_dim: Z.
        network: of encoder and decoder, and the prior; a config of `tfvae.networks`.
        likelihood: `bernoulli`, whose draws are relaxed, or `gaussian`.
        posterior: of q(z | x): `gaussian`, `planar` or `iaf`, as `tfvae.layers.posterior` has them.
        flow_length: layers of such a flow.
        half: of the objective: `full`, `r` (the first, reconstruction) or `g` (the second, generation).
        critic: `residual` gives the critics the densities that are explicit anyway, so that what a network learns is 0
            at the equilibrium; `mlp` is the source's, one network of x and z, which must carry the whole log ratio.
        critic_network: of both.
        critic_steps: of the critics in a round.
        x_draws: how a draw of p(x | z) comes to the critics: `relaxed`, `straight_through` or as its `mean`. A
            Gaussian's is reparameterised by all but the last.
        temperature: of relaxed Bernoulli pixels.
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(64, ranges.WIDTHS)
    network: mlp.Config = ranges.field(allowed=ranges.NETWORK, factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", adversarial.LIKELIHOODS)
    posterior: str = ranges.field("gaussian", ranges.Choices(posteriors.POSTERIORS))
    flow_length: int = ranges.field(80, ranges.Interval(1, 10_000))
    half: str = ranges.field("full", ranges.Choices(HALVES))
    critic: str = ranges.field("residual", ranges.Choices(CRITICS))
    critic_network: critics.Config = dataclasses.field(default_factory=critics.Config)
    critic_steps: int = ranges.field(1, ranges.Interval(1, 100_000))
    x_draws: str = ranges.field("relaxed", ranges.Choices(adversarial.X_DRAWS))
    temperature: float = ranges.field(0.5, ranges.POSITIVE)
    compile_step: bool = False

    # Of the bound that is reported; nothing learns from it.
    bound: ClassVar[str] = "elbo"
    num_samples: ClassVar[int] = 1
    kl_warmup_steps: ClassVar[int] = 0

    def build(self, info, seed=0):
        return ASVAE(self, info, seed)


class ASVAE(adversarial.AdversarialAutoencoder):
    """An adversarial symmetric VAE, or one half of it.

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        self.residual = config.critic == "residual"
        halves, z = HALVES[config.half], config.latent_dim
        # Of a residual f1 what is left to learn is log q(x) / p(x), of images alone.
        self.critic1 = self.critic("critic1", 0 if self.residual else z) if "f1" in halves else None
        self.critic2 = self.critic("critic2", z) if "f2" in halves else None

    @property
    def critic_kind(self):
        """`residual` or `mlp`."""
        return self.config.critic

    @property
    def title(self):
        return {"full": "AS-VAE", "r": "AS-VAE-r", "g": "AS-VAE-g"}[self.config.half]

    def players(self):
        critics = [v for f in (self.critic1, self.critic2) if f is not None for v in f.trainable_variables]
        model = [*self.p_x_given_z.trainable_variables, *self.q_z_given_x.trainable_variables]
        return {
            "critic": Player(self.critic_step, critics, self.config.critic_steps, reports_norm=True),
            "model": Player(self.model_step, model, reports_norm=True),
        }

    # The critics.

    def f1(self, x, z, log_q, **options):
        """log q(x, z) − log p(x) p(z); residual: log q(z | x) − log p(z) + g1(x), where g1 stands for log q(x) / p(x).

        Args:
            x, z: [N, ...], [N, Z].
            log_q: log q(z | x), [N].
            options: `seed` and `training` of the network.
        """
        if self.residual:
            return log_q - self.p_z.log_prob(z) + self.critic1(x, **options)
        return self.critic1(x, z, **options)

    def f2(self, x, z, log_q, **options):
        """log p(x, z) − log q(x) q(z); residual: log q(z | x) − log p(z) + r(x, z), where r stands for

        log p(x, z) / q(x, z) + log p(z) / q(z). Arguments as of `f1`.
        """
        if self.residual:
            return tf.stop_gradient(log_q) - self.p_z.log_prob(z) + self.critic2(x, z, **options)
        return self.critic2(x, z, **options)

    def logits(self, pairs, seed, training):
        """f1 and f2 of pairs that they are to say yes to, and of the others (eqs. 5.3 and 5.4): [B] each."""
        found, (x, z_of_x, x_of_z, z) = {}, pairs
        fresh_seed, *seeds = noise.split(seed, 3)
        if self.critic1 is not None:
            # p(x) p(z): a sample, and a code that has nothing to do with it.
            fresh = self.p_z.sample(tf.shape(z)[0], seed=fresh_seed)
            both = tf.concat([x, x_of_z], axis=0), tf.concat([z_of_x, fresh], axis=0)
            found["f1"] = self._sides(self.f1, *both, seeds[0], training)
        if self.critic2 is not None:
            # q(x) q(z): an image, and the code of another.
            other = tf.roll(z_of_x, 1, axis=0)
            both = tf.concat([x_of_z, x], axis=0), tf.concat([z, other], axis=0)
            found["f2"] = self._sides(self.f2, *both, seeds[1], training)
        return found

    def _sides(self, f, x, z, seed, training):
        """(logits of the first half of the rows, of the second), in one call: batch statistics are of both sides."""
        log_q = tf.stop_gradient(self.encode(x).log_prob(z)) if self.residual else None
        return tf.split(f(x, z, log_q, seed=seed, training=training), 2)

    # The model.

    def model_step(self, batch, seed):
        """−(5.15) with the critics held, of the halves that there are."""
        x = all_images(batch)
        code_seed, prior_seed, image_seed = noise.split(seed, 3)
        z = self.p_z.sample(tf.shape(x)[0], seed=prior_seed)
        x_of_z = None
        if self.critic2 is not None:
            x_of_z = self.draw(self.p_x_given_z(z, training=True), image_seed)
        q_of_data, q_of_samples = self._encoded(x if self.critic1 is not None else None, x_of_z)
        loss, terms = 0.0, {}
        if q_of_data is not None:
            z_of_x = q_of_data.sample(seed=code_seed)
            log_q = q_of_data.log_prob(z_of_x)
            log_p_x = self.p_x_given_z(z_of_x, training=True).log_prob(x)
            # The score of q at its own draw has the mean 0, so log q need not be held.
            terms["loss_of_x"] = self.f1(x, z_of_x, log_q) - log_p_x
            terms["train_bound"] = log_p_x + self.p_z.log_prob(z_of_x) - log_q
        if q_of_samples is not None:
            log_q = q_of_samples.log_prob(z)
            terms["loss_of_z"] = self.f2(x_of_z, z, log_q) - log_q
            terms["code_log_prob"] = log_q
        for name in ("loss_of_x", "loss_of_z"):
            loss += tf.reduce_mean(terms[name]) if name in terms else 0.0
        return Objective(loss, terms)

    def _encoded(self, x, x_of_z):
        """q(z | x) of images and of samples, None of what is None, in one call: batch statistics are of both.

        A residual f2 has log q(z | x) with its gradient in x, which the objective's own −log q(z | x) takes off again,
        so neither is built: θ learns by r(x, z), φ by log q(z | x) of a sample that stands still.
        """
        if x_of_z is not None and self.residual:
            x_of_z = tf.stop_gradient(x_of_z)
        there = [images for images in (x, x_of_z) if images is not None]
        params = self.q_z_given_x.params(tf.concat(there, axis=0), training=True)
        found = iter(tf.split(params, len(there)))
        distribution = self.q_z_given_x.family.distribution
        return tuple(None if images is None else distribution(next(found)) for images in (x, x_of_z))
