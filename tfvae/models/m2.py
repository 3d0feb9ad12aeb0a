"""M2: p(y) p(z) p(x | y, z) with q(y | x) q(z | x, y)  (Kingma et al. 2014)."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import LABELLED
from tfvae.inference.bound import LogWeights
from tfvae.models.base import PICTURE_NOISE
from tfvae.models.class_conditional import ClassConditionalModel, ClassTable
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import mlp
from tfvae.probability import families, noise


@dataclasses.dataclass
class Config:
    """M2 as Maaløe et al. 2016 compare with it: the settings of the ADGM, without a.

    Args:
        latent_dim: Z.
        network: of all conditionals.
        likelihood: `bernoulli`, `gaussian` or `discretised_logistic`.
        beta: weight of the classifier; α = beta · N / N_l.
        bound: `elbo` or `importance`.
        num_samples: S, draws of z in training.
        kl_warmup_steps: steps over which the weight of the KL rises to 1; 0 for none.
        weight_prior: a N(0, 1) prior on the weights, divided by N (the authors' code).
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(100, ranges.WIDTHS)
    network: mlp.Config = dataclasses.field(default_factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    beta: float = ranges.field(0.1, ranges.WEIGHTS)
    bound: str = ranges.field("elbo", ranges.Choices(inference.BOUNDS))
    num_samples: int = ranges.field(1, ranges.DRAWS)
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    weight_prior: bool = False
    compile_step: bool = False

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "use a `vae` preset"}

    def build(self, info, seed=0):
        return M2(self, info, seed)


class M2(ClassConditionalModel):
    """p(x, y, z) = p(y) p(z) p(x | y, z), approximated by q(y | x) q(z | x, y).

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
        prefix: of the layers' names, where the model is a part of another.
    """

    def __init__(self, config, info, seed=0, prefix="", **kwargs):
        super().__init__(config, info, seed, **kwargs)
        x, y, z = int(np.prod(info.image_shape)), info.num_classes, config.latent_dim
        net = config.network
        likelihood = families.LIKELIHOODS[config.likelihood]
        self.p_z = families.standard_normal(z)
        self.p_x_given_yz = mlp.conditional(f"{prefix}p_x", {"y": y, "z": z}, likelihood, x, net)
        self.q_y_given_x = mlp.conditional(f"{prefix}q_y", {"x": x}, families.CATEGORICAL, y, net)
        self.q_z_given_xy = mlp.conditional(f"{prefix}q_z", {"x": x, "y": y}, families.GAUSSIAN, z, net)

    def log_weights(self, x, y, seed, num_samples, training=False):
        q_y = self.q_y_given_x(x[:, 0], training=training)
        q_z = self.q_z_given_xy(x, y, training=training)
        z = q_z.sample(num_samples, seed=seed)  # [S, B, C, Z]
        p_x = self.p_x_given_yz(y, z, training=training)
        weights = LogWeights(p_x.log_prob(x) + self.log_p_y, q_z.log_prob(z) - self.p_z.log_prob(z))
        return ClassTable(weights, tf.math.log_softmax(q_y.logits)[None])

    def classify(self, image, num_samples=1, seed=None):
        del num_samples, seed  # q(y | x) has no draw in it.
        return tf.nn.softmax(self.q_y_given_x(image).logits)

    def encode(self, image):
        return self.q_z_given_xy(image, self.predicted(image))

    def decode(self, z, y):
        return self.p_x_given_yz(y, z)

    def sample(self, num, seed, label=None):
        class_seed, z_seed = noise.split(seed, 2)
        y = self.prior_classes(num, class_seed, label)
        return self.picture(self.decode(self.p_z.sample(num, seed=z_seed), y=y), noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        del seed  # In closed form.
        return {"z": gaussian_kl_per_unit(self.encode(image))}
