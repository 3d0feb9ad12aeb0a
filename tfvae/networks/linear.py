"""Linear maps with constant variances in both directions: every density of such a model is a Gaussian that is known."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.layers.conditional import Conditional
from tfvae.probability import families


@dataclasses.dataclass
class Config:
    """x | z ~ N(A z + b, S) and z | x ~ N(C x + d, R) with diagonal S and R.

    Args:
        initial_log_variance: of S and R.
    """

    initial_log_variance: float = ranges.field(0.0, ranges.Interval(-80, 80))

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations are not vectors.
        """
        if len(image_shape) != 1:
            raise ValueError(f"Linear maps read vectors, got observations of shape {tuple(image_shape)}.")

    def capabilities(self):
        """Capabilities that a model has because of this network."""
        return frozenset()

    def prior(self, latent_dim):
        return families.standard_normal(latent_dim)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        if likelihood != "gaussian":
            raise ValueError(f"A linear map's x is Gaussian: `model.likelihood=gaussian`, got {likelihood!r}.")
        return self._conditional(name, latent_dim, int(np.prod(image_shape)), families.GAUSSIAN)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        if family is not families.GAUSSIAN:
            raise ValueError("A linear map's z is Gaussian: `model.posterior=gaussian`.")
        return self._conditional(name, int(np.prod(image_shape)), latent_dim, family)

    def label_network(self, latent_dim, num_classes):
        """None: a linear classifier."""

    def _conditional(self, name, width_in, width_out, family):
        trunk = LinearGaussian(width_in, width_out, self.initial_log_variance, name=f"{name}_linear")
        return Conditional(tf.identity, trunk, family, name=name)


class LinearGaussian(keras.layers.Layer):
    """[N, width_in] -> mean and log variance [N, 2 width_out], the second without a look at the input."""

    def __init__(self, width_in, width_out, initial_log_variance, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        constant = keras.initializers.Constant(initial_log_variance)
        self.matrix = self.add_weight(shape=[width_in, width_out], initializer="glorot_uniform", name="matrix")
        self.offset = self.add_weight(shape=[width_out], initializer="zeros", name="offset")
        self.log_variance = self.add_weight(shape=[width_out], initializer=constant, name="log_variance")
        self.built = True

    def call(self, parent, training=False):
        del training
        mean = tf.matmul(parent, self.matrix) + self.offset
        return tf.concat([mean, tf.zeros_like(mean) + self.log_variance], axis=-1)

    def law(self):
        """(A, b, variances) in the order of `tfvae.probability.known_gaussians.LinearPair`."""
        return np.array(self.matrix).T, np.array(self.offset), np.exp(np.array(self.log_variance))
