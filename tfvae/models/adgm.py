"""Auxiliary and skip deep generative models  (Maaløe et al. 2016).

|      | generative model                | inference model            |
|------|---------------------------------|----------------------------|
| ADGM | p(y) p(z) p(a|z,y[,x]) p(x|y,z) | q(a|x) q(y|a,x) q(z|a,y,x) |
| SDGM | p(y) p(z) p(a|z,y) p(x|a,y,z)   | as ADGM                    |
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import LABELLED
from tfvae.capabilities import Capability
from tfvae.inference.bound import LogWeights
from tfvae.models.auxiliary_vae import AUXILIARY_DRAWS, mean_kl_per_unit
from tfvae.models.base import PICTURE_NOISE
from tfvae.models.class_conditional import ClassConditionalModel, ClassTable
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import mlp
from tfvae.probability import families, noise

AUXILIARIES = ("stochastic", "deterministic")


@dataclasses.dataclass
class Config:
    """ADGM, or SDGM with `skip`.

    Args:
        latent_dim: Z.
        auxiliary_dim: A.
        network: of all conditionals.
        likelihood: `bernoulli`, `gaussian` or `discretised_logistic`.
        skip: x depends on a as well (SDGM): p(x | a, y, z).
        auxiliary: `stochastic`; or `deterministic`, where a is the mean of q(a | x) and has no KL (figure 5).
        auxiliary_sees_image: p(a | z, y, x) of eq. (7) rather than the benchmarks' p(a | z, y); ADGM only.
        beta: weight of the classifier; α = beta · N / N_l.
        bound: `elbo` or `importance`.
        num_samples: S, draws of (a, z) in training.
        kl_warmup_steps: steps over which the weight of the KLs of a and z rises to 1; 0 for none.
        weight_prior: a N(0, 1) prior on the weights, divided by N (the authors' code).
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(100, ranges.WIDTHS)
    auxiliary_dim: int = ranges.field(100, ranges.WIDTHS)
    network: mlp.Config = dataclasses.field(default_factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    skip: bool = False
    auxiliary: str = ranges.field("stochastic", ranges.Choices(AUXILIARIES))
    auxiliary_sees_image: bool = False
    beta: float = ranges.field(0.1, ranges.WEIGHTS)
    bound: str = ranges.field("elbo", ranges.Choices(inference.BOUNDS))
    num_samples: int = ranges.field(1, ranges.DRAWS)
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    weight_prior: bool = False
    compile_step: bool = False

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.skip and self.auxiliary_sees_image:
            raise ValueError("With `skip`, x depends on a, so p(a | z, y) cannot see x: unset `auxiliary_sees_image`.")

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "use a `vae` preset"}

    def build(self, info, seed=0):
        return ADGM(self, info, seed)


class ADGM(ClassConditionalModel):
    """Auxiliary (or, with `config.skip`, skip) deep generative model."""

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(config, info, seed, **kwargs)
        self.stochastic = config.auxiliary == "stochastic"
        x, y = int(np.prod(info.image_shape)), info.num_classes
        z, a = config.latent_dim, config.auxiliary_dim
        net = config.network
        self.p_z = families.standard_normal(z)
        likelihood = families.LIKELIHOODS[config.likelihood]
        x_parents = {"a": a, "y": y, "z": z} if config.skip else {"y": y, "z": z}
        self.p_x_given_yz = mlp.conditional("p_x", x_parents, likelihood, x, net)
        if self.stochastic:
            a_parents = {"z": z, "y": y, "x": x} if config.auxiliary_sees_image else {"z": z, "y": y}
            self.p_a_given_zy = mlp.conditional("p_a", a_parents, families.GAUSSIAN, a, net)
        self.q_a_given_x = mlp.conditional("q_a", {"x": x}, families.GAUSSIAN, a, net)
        self.q_y_given_ax = mlp.conditional("q_y", {"a": a, "x": x}, families.CATEGORICAL, y, net)
        self.q_z_given_ayx = mlp.conditional("q_z", {"a": a, "y": y, "x": x}, families.GAUSSIAN, z, net)

    def log_weights(self, x, y, seed, num_samples, training=False):
        a_seed, z_seed = noise.split(seed, 2)
        q_a = self.q_a_given_x(x, training=training)  # batch [B, 1]
        a = self._draw_auxiliary(q_a, num_samples, a_seed)  # [S, B, 1, A], shared by all classes
        q_y = self.q_y_given_ax(a, x, training=training)  # batch [S, B, 1]
        q_z = self.q_z_given_ayx(a, y, x, training=training)  # batch [S, B, C]
        z = q_z.sample(seed=z_seed)
        p_x = self.p_x(a, y, z, training)
        divergence = q_z.log_prob(z) - self.p_z.log_prob(z)
        if self.stochastic:
            divergence += q_a.log_prob(a) - self.p_a(z, y, x, training).log_prob(a)
        weights = LogWeights(p_x.log_prob(x) + self.log_p_y, divergence)
        return ClassTable(weights, tf.math.log_softmax(q_y.logits)[..., 0, :])

    def capabilities(self):
        return super().capabilities() | {Capability.ENCODE_AUXILIARY}

    @property
    def title(self):
        return "SDGM" if self.config.skip else "ADGM"

    def p_x(self, a, y, z, training=False):
        """p(x | y, z), or p(x | a, y, z) of the skip model."""
        parents = (a, y, z) if self.config.skip else (y, z)
        return self.p_x_given_yz(*parents, training=training)

    def p_a(self, z, y, x=None, training=False):
        """p(a | z, y), or p(a | z, y, x) where it sees the image."""
        parents = (z, y, x) if self.config.auxiliary_sees_image else (z, y)
        return self.p_a_given_zy(*parents, training=training)

    def classify(self, image, num_samples=1, seed=None):
        q_a = self.q_a_given_x(image)
        a = q_a.mean()[None] if seed is None else self._draw_auxiliary(q_a, num_samples, seed)
        return tf.reduce_mean(tf.nn.softmax(self.q_y_given_ax(a, image).logits), axis=0)

    def encode(self, image):
        return self.q_z_given_ayx(self.q_a_given_x(image).mean(), self.predicted(image), image)

    def encode_auxiliary(self, image):
        """q(a | x) with batch shape [B]."""
        return self.q_a_given_x(image)

    def decode(self, z, y):
        """p(x | y, z); in the skip model at the mean of p(a | z, y)."""
        return self.p_x(self.p_a(z, y).mean() if self.config.skip else None, y, z)

    def reconstruct(self, image):
        # The skip model's x has its own a to be drawn from; the prior's would lose what q(a | x) found.
        a = self.q_a_given_x(image).mean()
        return self.picture(self.p_x(a, self.predicted(image), self.encode(image).mean()))

    def sample(self, num, seed, label=None):
        class_seed, z_seed, a_seed = noise.split(seed, 3)
        y = self.prior_classes(num, class_seed, label)
        z = self.p_z.sample(num, seed=z_seed)
        a = self.p_a(z, y).sample(seed=a_seed) if self.config.skip else None
        return self.picture(self.p_x(a, y, z), noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        q_z, units = self.encode(image), {}
        if self.stochastic:
            p_a = self.p_a(q_z.sample(AUXILIARY_DRAWS, seed=seed), self.predicted(image), image)
            units["a"] = mean_kl_per_unit(self.encode_auxiliary(image), p_a)
        return {"z": gaussian_kl_per_unit(q_z), **units}

    def _draw_auxiliary(self, q_a, num_samples, seed):
        """[S, ..., A] draws of a, or its mean where it is deterministic."""
        if self.stochastic:
            return q_a.sample(num_samples, seed=seed)
        return tf.repeat(q_a.mean()[None], num_samples, axis=0)
