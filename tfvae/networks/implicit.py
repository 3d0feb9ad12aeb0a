"""z = f(x, ξ): an encoder that draws codes without stating their density."""

import keras
import tensorflow as tf

from tfvae.layers.conditional import batch_apply
from tfvae.layers.merge import LinearMerge


class ImplicitEncoder(keras.layers.Layer):
    """A multilayer perceptron of an image and noise, ξ of as many dimensions as the code.

    The first layer adds a product of x, formed once an image, and one of ξ, formed once a draw.

    Args:
        inputs: D.
        latent_dim: Z.
        config: `tfvae.networks.mlp.Config`; `hidden` and `activation` are used.

    Pu 2017, section 4.2.2; Feng et al. 2017.
    """

    def __init__(self, inputs, latent_dim, config, **kwargs):
        super().__init__(**kwargs)
        if not config.hidden:
            raise ValueError("`network.hidden` needs at least one hidden layer, got ().")
        self.activation = keras.activations.get(config.activation)
        self.latent_dim = latent_dim
        self.merge = LinearMerge({"x": inputs, "xi": latent_dim}, config.hidden[0], name=f"{self.name}_merge")
        self.dense = []
        for i, (width, units) in enumerate(zip(config.hidden, (*config.hidden[1:], latent_dim))):
            layer = keras.layers.Dense(units, dtype="float32", name=f"{self.name}_dense{i}")
            layer.build([None, width])
            self.dense.append(layer)
        self.built = True

    def call(self, image, xi):
        """[B, D], [S, Z] -> float32 [S, B, Z]: the draws ξ are shared by all images."""
        h = self.activation(self.merge(image, xi[:, None]))
        *hidden, last = self.dense
        for layer in hidden:
            h = self.activation(batch_apply(layer, h))
        return batch_apply(last, h)

    def log_volume(self, image, xi):
        """z and log |det ∂z/∂ξ|, by which its density is q(z) = q₀(ξ) / |det ∂z/∂ξ|: [S, B, Z], [S, B].

        The Jacobian is pushed forward through the layers, [S, B, Z, units] at a time, which costs Z passes: for
        evaluation, and for few draws.
        """
        noise_weights = tf.convert_to_tensor(self.merge.maps[1].kernel)
        h, slope = self._activated(self.merge(image, xi[:, None]))
        jacobian = noise_weights * slope[..., None, :]
        *hidden, last = self.dense
        for layer in hidden:
            h, slope = self._activated(batch_apply(layer, h))
            jacobian = batch_apply(_times(layer.kernel), jacobian) * slope[..., None, :]
        jacobian = batch_apply(_times(last.kernel), jacobian)
        _, log_det = tf.linalg.slogdet(jacobian)
        return batch_apply(last, h), log_det

    def _activated(self, before):
        """The activation and its derivative, both elementwise."""
        with tf.GradientTape() as tape:
            tape.watch(before)
            after = self.activation(before)
        return after, tape.gradient(after, before)


def _times(kernel):
    """[N, H] -> [N, H']. As a product of two matrices: TensorFlow fuses a batched one with the factor behind it into an
    operation of oneDNN that ends the process."""
    return lambda rows: tf.linalg.matmul(rows, tf.convert_to_tensor(kernel))
