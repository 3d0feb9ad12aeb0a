"""What models with critics have in common: draws with gradients, pairs to tell apart, and what tells of a collapse.

A critic f is a logit: it goes up  E log σ(f(positive)) + E log(1 − σ(f(negative))), whose optimum is the log ratio of
the two densities (Pu 2017, lemma 7).
"""

from typing import NamedTuple

import tensorflow as tf

from tfvae import ranges
from tfvae.capabilities import Capability
from tfvae.models import vae
from tfvae.models.base import Objective, all_images
from tfvae.networks import critic
from tfvae.probability import families, noise
from tfvae.probability.energy_distance import energy_distance_by_row

X_DRAWS = ("relaxed", "straight_through", "mean")
LIKELIHOODS = ranges.Choices(families.LIKELIHOODS)
# A logit beyond it has next to no gradient left: σ is 1 to within 5e-5.
_SATURATED = 10.0


class Pairs(NamedTuple):
    """An image and a code of each of two joint distributions, each from its own seed, and what both are made of.

    x, z_of_x: of the data and of q(z | x).
    x_of_z, z: of p(x | z) and of p(z).
    """

    x: tf.Tensor
    z_of_x: tf.Tensor
    x_of_z: tf.Tensor
    z: tf.Tensor


def drawn(p_x, x_draws, temperature, seed):
    """A draw of p(x | z), or its mean, with a gradient in z."""
    if x_draws == "mean":
        return p_x.mean()
    return families.reparameterised(p_x, seed, temperature, hard=x_draws == "straight_through")


def criticised(positive, negative):
    """What a critic goes down, and its terms.

    Args:
        positive, negative: logits [N] of both sides.

    Returns:
        −mean log σ(f⁺) − mean log(1 − σ(f⁻)); the share of wrong decisions and of logits without a gradient, [2N] each.
    """
    loss = tf.reduce_mean(tf.math.softplus(-positive)) + tf.reduce_mean(tf.math.softplus(negative))
    return loss, wrong(positive, negative), saturated(tf.concat([positive, negative], axis=0))


def wrong(positive, negative):
    """1 where a side was taken for the other: [2N]."""
    return tf.cast(tf.concat([positive <= 0, negative > 0], axis=0), tf.float32)


def saturated(logits):
    """1 where a logit has next to no gradient: [N]."""
    return tf.cast(tf.abs(logits) > _SATURATED, tf.float32)


class AdversarialAutoencoder(vae.VAE):
    """The graph of a VAE, learned by players: p(z) p(x | z) and q(z | x) q(x).

    What it answers is a VAE's; the bound that it reports is by the explicit densities, whatever it learns from.

    Args:
        config: has what a VAE's has, `critic_network`, `x_draws` and `temperature`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        of_network = getattr(config.network, "widest", lambda shape: 0)(self.image_shape)
        self.widest_layer = max(500, of_network, critic.widest(config.critic_network, self.image_shape))

    def capabilities(self):
        return super().capabilities() | {Capability.CRITIC}

    def critic(self, name, latent_dim):
        """A critic of images and codes; of images alone for 0."""
        return critic.Critic(self.config.critic_network, self.image_shape, latent_dim, name=name)

    def objective(self, batch, seed, training=False):
        """The VAE's bound, which compares epochs, beside what tells whether the players still play."""
        loss, terms = super().objective(batch, seed, training)
        return Objective(loss, terms | self.told(all_images(batch), noise.fold_in(seed, 1)))

    def told(self, x, seed):
        """What reconstructions, codes and samples are like, by rows.

        Returns:
            "x_error", "z_error" (mean squares of x − x̂ and, of draws of the prior, z − ẑ) and their mean
            "reconstruction_error", by which the source stops (section 5.3); "sample_distance", the energy distance of
            samples from these images; "code_square", E z² a unit under q(z), which is 1 where q(z) is the prior.
        """
        q_z = self.encode(x)
        x_error = _mean_square(x - self.picture(self.decode(q_z.mean())))
        pairs = self.pairs(x, seed)
        z_error = _mean_square(pairs.z - self.encode(pairs.x_of_z).mean())
        return {
            "x_error": x_error,
            "z_error": z_error,
            "reconstruction_error": 0.5 * (x_error + z_error),
            "sample_distance": energy_distance_by_row(x, pairs.x_of_z),
            "code_square": tf.reduce_mean(pairs.z_of_x**2, axis=-1),
        }

    def pairs(self, x, seed):
        """As many draws of p(x, z) as there are images, beside these and their codes: `Pairs` without gradients."""
        code_seed, prior_seed, image_seed = noise.split(seed, 3)
        z_of_x = self.encode(x).sample(seed=code_seed)
        z = self.p_z.sample(tf.shape(x)[0], seed=prior_seed)
        x_of_z = self.draw(self.decode(z), image_seed)
        return Pairs(x, *(tf.stop_gradient(value) for value in (z_of_x, x_of_z, z)))

    def draw(self, p_x, seed):
        """A draw of p(x | z) as critics see it, with a gradient in z."""
        return drawn(p_x, self.config.x_draws, self.config.temperature, seed)

    def critic_logits(self, image, seed):
        """Critic -> logits of as many positive and negative pairs as there are images, [B] each."""
        return self.logits(self.pairs(image, seed), noise.fold_in(seed, 1), training=False)

    def critic_step(self, batch, seed):
        """Every critic goes up its own objective, at pairs that do not move."""
        pairs = self.pairs(all_images(batch), seed)
        loss, terms = 0.0, {}
        for name, (positive, negative) in self.logits(pairs, noise.fold_in(seed, 1), training=True).items():
            of_critic, terms[f"{name}_error"], terms[f"{name}_saturation"] = criticised(positive, negative)
            loss += of_critic
        return Objective(loss, terms)


def _mean_square(difference):
    return tf.reduce_mean(tf.square(tf.reshape(difference, [tf.shape(difference)[0], -1])), axis=1)
