"""Adversarially learned inference: one critic between q(x, z) and p(x, z)  (Dumoulin et al. 2017; Pu 2017, eq. 5.1)."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tfvae import ranges
from tfvae.models import adversarial
from tfvae.models.base import Objective, all_images
from tfvae.models.players import Player
from tfvae.networks import critic, mlp
from tfvae.probability import noise

GAMES = ("non_saturating", "minimax")


@dataclasses.dataclass
class Config:
    """ALI on the networks of an AS-VAE.

    Args:
        latent_dim, network, likelihood, critic_network, critic_steps, x_draws, temperature, compile_step: as of
            `tfvae.models.asvae.Config`.
        game: what the model goes down: `non_saturating`, the critic's loss with the two sides exchanged, or `minimax`,
            eq. (5.1) as printed.
    """

    latent_dim: int = ranges.field(64, ranges.WIDTHS)
    network: mlp.Config = ranges.field(allowed=ranges.NETWORK, factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", adversarial.LIKELIHOODS)
    critic_network: critic.Config = dataclasses.field(default_factory=critic.Config)
    critic_steps: int = ranges.field(1, ranges.Interval(1, 100_000))
    x_draws: str = ranges.field("relaxed", ranges.Choices(adversarial.X_DRAWS))
    temperature: float = ranges.field(0.5, ranges.POSITIVE)
    game: str = ranges.field("non_saturating", ranges.Choices(GAMES))
    compile_step: bool = False

    # Of the bound that is reported; nothing learns from it.
    bound: ClassVar[str] = "elbo"
    num_samples: ClassVar[int] = 1
    kl_warmup_steps: ClassVar[int] = 0
    posterior: ClassVar[str] = "gaussian"
    flow_length: ClassVar[int] = 1

    def build(self, info, seed=0):
        return ALI(self, info, seed)


class ALI(adversarial.AdversarialAutoencoder):
    """min over θ, φ, max over ψ of  E_q(x,z) log σ(f(x, z)) + E_p(x,z) log(1 − σ(f(x, z))).

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        self.critic_of_pairs = self.critic("critic", config.latent_dim)

    def players(self):
        model = [*self.p_x_given_z.trainable_variables, *self.q_z_given_x.trainable_variables]
        return {
            "critic": Player(
                self.critic_step, self.critic_of_pairs.trainable_variables, self.config.critic_steps, reports_norm=True
            ),
            "model": Player(self.model_step, model, reports_norm=True),
        }

    def logits(self, pairs, seed, training):
        """f of q(x, z), and of p(x, z): [B] each."""
        x, z = tf.concat([pairs.x, pairs.x_of_z], axis=0), tf.concat([pairs.z_of_x, pairs.z], axis=0)
        return {"f": tf.split(self.critic_of_pairs(x, z, seed=seed, training=training), 2)}

    def model_step(self, batch, seed):
        """The players' common objective, or the same with the sides exchanged, with the critic held."""
        x = all_images(batch)
        code_seed, prior_seed, image_seed = noise.split(seed, 3)
        z_of_x = self.q_z_given_x(x, training=True).sample(seed=code_seed)
        z = self.p_z.sample(tf.shape(x)[0], seed=prior_seed)
        x_of_z = self.draw(self.p_x_given_z(z, training=True), image_seed)
        of_data, of_samples = self.critic_of_pairs(x, z_of_x), self.critic_of_pairs(x_of_z, z)
        if self.config.game == "minimax":
            loss = -tf.reduce_mean(tf.math.softplus(-of_data)) - tf.reduce_mean(tf.math.softplus(of_samples))
        else:
            loss = tf.reduce_mean(tf.math.softplus(of_data)) + tf.reduce_mean(tf.math.softplus(-of_samples))
        return Objective(loss, {"logit_of_data": of_data, "logit_of_samples": of_samples})
