"""p(z) p(x | z) p(a | x, z), approximated by q(a | x) q(z | a, x): the auxiliary VAE  (Maaløe et al. 2016)."""

import abc
import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.capabilities import Capability
from tfvae.inference.bound import LogWeights
from tfvae.models.base import PICTURE_NOISE, LatentVariableModel
from tfvae.models.vae import UnlabelledModel, gaussian_kl_per_unit
from tfvae.networks import mlp
from tfvae.probability import families, noise
from tfvae.probability.potentials import POTENTIALS, Potential

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

    latent_dim: int = ranges.field(50, ranges.WIDTHS)
    auxiliary_dim: int = ranges.field(50, ranges.WIDTHS)
    network: mlp.Config = dataclasses.field(default_factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    prior: str = ranges.field("normal", ranges.Choices(lambda: ("normal", *POTENTIALS)))
    bound: str = ranges.field("elbo", ranges.Choices(inference.BOUNDS))
    num_samples: int = ranges.field(1, ranges.DRAWS)
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    target_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    compile_step: bool = False

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.target_warmup_steps and self.prior == "normal":
            raise ValueError(
                f"`target_warmup_steps` is for potentials, got {self.target_warmup_steps} with prior='normal'. For "
                "images set `kl_warmup_steps`."
            )
        if self.latent_dim != 2 and self.prior != "normal":
            raise ValueError(f"A potential lies in a plane: `model.latent_dim` is 2, got {self.latent_dim}.")

    def build(self, info, seed=0):
        return (AuxiliaryVAE if self.prior == "normal" else AuxiliaryPotential)(self, info, seed)


class AuxiliaryPosterior(UnlabelledModel):
    """q(z | x) = ∫ q(z | a, x) q(a | x) da, with p(a | x, z) to bound its density: what both models below share."""

    def build_posterior(self, config, info):
        """Makes the three conditionals that have a in them."""
        x, z, a, net = int(np.prod(info.image_shape)), config.latent_dim, config.auxiliary_dim, config.network
        self.p_a_given_xz = mlp.conditional("p_a", {"x": x, "z": z}, families.GAUSSIAN, a, net)
        self.q_a_given_x = mlp.conditional("q_a", {"x": x}, families.GAUSSIAN, a, net)
        self.q_z_given_ax = mlp.conditional("q_z", {"a": a, "x": x}, families.GAUSSIAN, z, net)

    def log_weights(self, x, seed, num_samples, training=False):
        a_seed, z_seed = noise.split(seed, 2)
        q_a = self.q_a_given_x(x, training=training)
        a = q_a.sample(num_samples, seed=a_seed)
        q_z = self.q_z_given_ax(a, x, training=training)
        z = q_z.sample(seed=z_seed)
        log_q = q_a.log_prob(a) - self.p_a_given_xz(x, z, training=training).log_prob(a) + q_z.log_prob(z)
        return self.weights_at(x, z, log_q, training)

    @abc.abstractmethod
    def weights_at(self, x, z, log_q, training) -> LogWeights:
        """The log weights of draws z [S, B, Z], given log q(a, z | x) − log p(a | x, z): [S, B]."""

    def sample_posterior(self, image, seed):
        """z [B, Z] from the non-Gaussian q(z | x): a ~ q(a | x), then z ~ q(z | a, x)."""
        a_seed, z_seed = noise.split(seed, 2)
        a = self.q_a_given_x(image).sample(seed=a_seed)
        return self.q_z_given_ax(a, image).sample(seed=z_seed)


class AuxiliaryVAE(AuxiliaryPosterior, LatentVariableModel):
    """p(z) p(x | z) p(a | x, z), approximated by q(a | x) q(z | a, x): eqs. (2) to (4)."""

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        self.likelihood = config.likelihood
        self.p_z = families.standard_normal(config.latent_dim)
        x, likelihood = int(np.prod(info.image_shape)), families.LIKELIHOODS[config.likelihood]
        self.p_x_given_z = mlp.conditional("p_x", {"z": config.latent_dim}, likelihood, x, config.network)
        self.build_posterior(config, info)

    def capabilities(self):
        return super().capabilities() | {Capability.ENCODE_AUXILIARY}

    def supervised_network(self):
        return self.config.network

    def weights_at(self, x, z, log_q, training):
        return LogWeights(self.p_x_given_z(z, training=training).log_prob(x), log_q - self.p_z.log_prob(z))

    def encode(self, image):
        """q(z | x) at the mean of q(a | x)."""
        return self.q_z_given_ax(self.q_a_given_x(image).mean(), image)

    def encode_auxiliary(self, image):
        """q(a | x) with batch shape [B]."""
        return self.q_a_given_x(image)

    def decode(self, z):
        return self.p_x_given_z(z)

    def sample(self, num, seed):
        p_x = self.decode(self.p_z.sample(num, seed=seed))
        return self.picture(p_x, noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        a_seed, z_seed = noise.split(seed, 2)
        q_a = self.encode_auxiliary(image)
        z = self.q_z_given_ax(q_a.sample(AUXILIARY_DRAWS, seed=a_seed), image).sample(seed=z_seed)
        units_of_a = mean_kl_per_unit(q_a, self.p_a_given_xz(image, z))
        return {"z": gaussian_kl_per_unit(self.encode(image)), "a": units_of_a}


class AuxiliaryPotential(AuxiliaryPosterior):
    """q(z) = ∫ q(z | a) q(a) da fitted to exp(−U(z)), an unnormalised density in the plane: eq. (20)."""

    def __init__(self, config, info, seed=0, **kwargs):
        if np.prod(info.image_shape):
            raise ValueError(
                f"A potential observes nothing (`data.source=nothing`), got images of {int(np.prod(info.image_shape))} "
                "dimensions."
            )
        super().__init__(config, info, seed, **kwargs)
        self.p_z = Potential(config.prior)
        self.build_posterior(config, info)

    def capabilities(self):
        return super().capabilities() | {Capability.LOG_NORMALISER}

    def weights_at(self, x, z, log_q, training):
        return LogWeights(self.p_z.log_prob(z), log_q)  # The target takes the place of the likelihood.

    def likelihood_weight(self, training):
        """β_t = min(1, 0.01 + t / T) of the target: on a flat one q finds all modes (Rezende & Mohamed 2015, eq. 20).

        p(a | z) has no part in it: it only tightens the bound.
        """
        return self.warmed_up(self.config.target_warmup_steps, training, start=0.01)

    def log_normaliser(self):
        """log ∫ exp(−U(z)) dz, which the bound stays below: nats."""
        return self.p_z.log_normaliser()

    def sample(self, num, seed):
        """Draws of z from the fit: [num, 2]."""
        return self.sample_posterior(tf.zeros([num, 0]), seed)

    def endpoints(self):
        # A bound on log Z is no score of a request.
        return {"sample": super().endpoints()["sample"]}


def mean_kl_per_unit(q_a, p_a):
    """E_z KL(q(a_i | x) ‖ p(a_i | z, ...)), the mean over draws of z with p_a of batch shape [S, B]: [B, A], nats.

    For each z the KL is in closed form; a draw of a in its place can come out below 0.
    """
    return tf.reduce_mean(q_a.distribution.kl_divergence(p_a.distribution), axis=0)
