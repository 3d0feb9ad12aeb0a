"""A softmax classifier of codes."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfvae.heads.head import LabelHead
from tfvae.layers.conditional import Conditional
from tfvae.layers.particles import Particles
from tfvae.probability import families


class Softmax(LabelHead):
    """p(y | z) = softmax(W z + b), or of another network than a linear one.

    Args:
        latent_dim: Z.
        num_classes: K.
        num_particles: J, particles of the weights, over which log p(y | z, θ_j) is averaged in training and p(y | z,
            θ_j) in prediction.
        network: name -> a built layer from [N, Z] to logits [N, K], in the place of W z + b.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int,
        num_particles: int = 1,
        network: Callable[[str], keras.layers.Layer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        self.num_particles = num_particles

        def linear(name: str) -> keras.layers.Layer:
            layer = keras.layers.Dense(num_classes, dtype="float32", name=name)
            layer.build([None, latent_dim])
            return layer

        network, name = network or linear, f"{self.name}_logits"
        if num_particles == 1:
            self.logits = network(name)
        else:
            copies = [
                Conditional(tf.identity, network(f"{name}_{j}"), families.CATEGORICAL, name=f"{name}_of_{j}")
                for j in range(num_particles)
            ]
            self.logits = Particles(copies, name=name)
        self.built = True

    def log_prob(self, z: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """log p(label | z): [B], nats, for z [B, Z] and integers [B]."""
        chosen = tf.one_hot(label, self.num_classes) * tf.math.log_softmax(self._logits(z))
        return tf.reduce_mean(tf.reduce_sum(chosen, axis=-1), axis=0)

    def predict(self, z: tf.Tensor) -> tf.Tensor:
        """Probabilities averaged over draws of the code and of the weights: z [S, B, Z] -> [B, K]."""
        num, batch = tf.shape(z)[0], tf.shape(z)[1]
        probs = tf.reduce_mean(tf.nn.softmax(self._logits(tf.reshape(z, [-1, z.shape[-1]]))), axis=0)
        return tf.reduce_mean(tf.reshape(probs, [num, batch, self.num_classes]), axis=0)

    def _logits(self, z: tf.Tensor) -> tf.Tensor:
        """[B, Z] -> [J, B, K]."""
        return self.logits(z)[None] if self.num_particles == 1 else self.logits.params(z)
