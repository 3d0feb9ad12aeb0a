"""p(z) p(x | z) p(a | x, z), approximated by q(a | x) q(z | a, x): the auxiliary VAE  (Maaløe et al. 2016)."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae.inference.bound import LogWeights
from tfvae.models.vae import UnlabelledModel, gaussian_kl_per_unit
from tfvae.networks import mlp
from tfvae.probability import families, noise
from tfvae.probability.potentials import Potential

# Draws behind a KL of a that has no closed form: it depends on z.
AUXILIARY_DRAWS = 16


@dataclasses.dataclass
class Config:
    """Auxiliary VAE: a VAE with a non-Gaussian q(z | x) = ∫ q(z | a, x) q(a | x) da.

    Args:
        latent_dim: Z.
        auxiliary_dim: A.
        network: of all conditionals.
        likelihood: of images; unused for a potential, which observes nothing.
        prior: `normal`, or a 2D potential `u1` ... `u4` (section 4.1; the data source is then `nothing`).
        bound: `elbo` or `importance`.
        num_samples: S, draws of (a, z) in training.
        kl_warmup_steps: steps over which the weight of the KLs rises to 1; 0 for none.
        target_warmup_steps: steps over which a potential rises from nearly flat to its full depth; 0 for none.
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = 50
    auxiliary_dim: int = 50
    network: mlp.Config = dataclasses.field(default_factory=mlp.Config)
    likelihood: str = "bernoulli"
    prior: str = "normal"
    bound: str = "elbo"
    num_samples: int = 1
    kl_warmup_steps: int = 0
    target_warmup_steps: int = 0
    compile_step: bool = False

    def build(self, info, seed=0):
        return AuxiliaryVAE(self, info, seed)


class AuxiliaryVAE(UnlabelledModel):
    """p(z) p(x | z) p(a | x, z), approximated by q(a | x) q(z | a, x): eqs. (2) to (4), and (20) for a potential."""

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        x, z, a = int(np.prod(info.image_shape)), config.latent_dim, config.auxiliary_dim
        self.is_potential = config.prior != "normal"
        if self.is_potential and (z != 2 or x):
            raise ValueError(
                f"A potential has latent_dim 2 and observes nothing (`data.source=nothing`), got latent_dim={z} and "
                f"images of {x} dimensions."
            )
        if config.target_warmup_steps and not self.is_potential:
            raise ValueError(
                f"`target_warmup_steps` is for potentials, got {config.target_warmup_steps} with prior='normal'. For "
                "images set `kl_warmup_steps`."
            )
        net = config.network
        self.p_z = Potential(config.prior) if self.is_potential else families.standard_normal(z)
        if not self.is_potential:
            likelihood = families.likelihood(config.likelihood)
            self.p_x_given_z = mlp.conditional("p_x", {"z": z}, likelihood, x, net)
        self.p_a_given_xz = mlp.conditional("p_a", {"x": x, "z": z}, families.GAUSSIAN, a, net)
        self.q_a_given_x = mlp.conditional("q_a", {"x": x}, families.GAUSSIAN, a, net)
        self.q_z_given_ax = mlp.conditional("q_z", {"a": a, "x": x}, families.GAUSSIAN, z, net)

    def log_weights(self, x, seed, num_samples, training=False):
        a_seed, z_seed = noise.split(seed, 2)
        q_a = self.q_a_given_x(x, training=training)
        a = q_a.sample(num_samples, seed=a_seed)
        q_z = self.q_z_given_ax(a, x, training=training)
        z = q_z.sample(seed=z_seed)
        divergence = q_a.log_prob(a) - self.p_a_given_xz(x, z, training=training).log_prob(a) + q_z.log_prob(z)
        if self.is_potential:  # The target takes the place of the likelihood.
            return LogWeights(self.p_z.log_prob(z), divergence)
        log_p_x = self.p_x_given_z(z, training=training).log_prob(x)
        return LogWeights(log_p_x, divergence - self.p_z.log_prob(z))

    def likelihood_weight(self, training):
        """β_t = min(1, 0.01 + t / T) of the target: on a flat one q finds all modes (Rezende & Mohamed 2015, eq. 20).

        p(a | z) has no part in it: it only tightens the bound.
        """
        return self.warmed_up(self.config.target_warmup_steps, training, start=0.01)

    def encode(self, image):
        """q(z | x) at the mean of q(a | x)."""
        return self.q_z_given_ax(self.q_a_given_x(image).mean(), image)

    def encode_auxiliary(self, image):
        """q(a | x) with batch shape [B]."""
        return self.q_a_given_x(image)

    def sample_posterior(self, image, seed):
        """z [B, Z] from the non-Gaussian q(z | x): a ~ q(a | x), then z ~ q(z | a, x)."""
        a_seed, z_seed = noise.split(seed, 2)
        a = self.q_a_given_x(image).sample(seed=a_seed)
        return self.q_z_given_ax(a, image).sample(seed=z_seed)

    def decode(self, z):
        if self.is_potential:
            raise ValueError("A potential has no images: p(x | z) does not exist.")
        return self.p_x_given_z(z)

    def sample(self, num, seed):
        """Means of p(x | z) [num, ...]; for a potential draws of z from its fit, [num, 2]."""
        if self.is_potential:
            return self.sample_posterior(tf.zeros([num, 0]), seed)
        return self.decode(self.p_z.sample(num, seed=seed)).mean()

    def kl_per_unit(self, image, seed):
        if self.is_potential:
            raise NotImplementedError("A potential is no sum over units, so it has no KL a unit.")
        a_seed, z_seed = noise.split(seed, 2)
        q_a = self.encode_auxiliary(image)
        z = self.q_z_given_ax(q_a.sample(AUXILIARY_DRAWS, seed=a_seed), image).sample(seed=z_seed)
        units_of_a = mean_kl_per_unit(q_a, self.p_a_given_xz(image, z))
        return {"z": gaussian_kl_per_unit(self.encode(image)), "a": units_of_a}

    def endpoints(self):
        if not self.is_potential:
            return super().endpoints()
        return {"sample": super().endpoints()["sample"]}


def mean_kl_per_unit(q_a, p_a):
    """E_z KL(q(a_i | x) ‖ p(a_i | z, ...)), the mean over draws of z with p_a of batch shape [S, B]: [B, A], nats.

    For each z the KL is in closed form; a draw of a in its place can come out below 0.
    """
    return tf.reduce_mean(q_a.distribution.kl_divergence(p_a.distribution), axis=0)
