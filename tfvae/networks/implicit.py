"""z = f(x, ξ): encoders that draw codes without stating their density.

Pu 2017, section 4.2.2; Feng et al. 2017.
"""

import abc

import keras
import tensorflow as tf

from tfvae.layers.conditional import batch_apply
from tfvae.layers.merge import LinearMerge
from tfvae.probability.determinant import log_abs_det

# Columns of a Jacobian that are formed at once.
_COLUMNS_AT_ONCE = 8

# softplus of it is 0.51: about half of the prior's deviation.
_SCALE_BIAS = -0.41


class ImplicitEncoder(keras.layers.Layer, abc.ABC):
    """A network of an image and noise, ξ of as many dimensions as the code.

    Attributes:
        latent_dim: Z.
        units: numbers in the largest activation of one draw for one image.
        widest: the same of `log_volume`.
    """

    @abc.abstractmethod
    def call(self, image, xi, training=False):
        """[B, ...], [S, Z] or [S, B, Z] -> float32 [S, B, Z]; draws ξ of [S, Z] are shared by all images."""

    def jacobian(self, image, xi):
        """z [S, B, Z] and ∂z/∂ξ, [S, B, Z, Z], or its transpose.

        Args:
            image: [B, ...].
            xi: [S, Z] or [S, B, Z].
        """
        num, rows = _draws(xi), tf.shape(image)[0]
        own = xi if xi.shape.rank == 3 else tf.tile(xi[:, None], [1, rows, 1])
        flat = tf.reshape(own, [-1, self.latent_dim])
        with tf.GradientTape(persistent=True) as tape:  # As the columns are formed in several passes.
            tape.watch(flat)
            z = self(image, tf.reshape(flat, [num, -1, self.latent_dim]))
            codes = tf.reshape(z, [-1, self.latent_dim])
        columns = tape.batch_jacobian(codes, flat, parallel_iterations=_columns_at_once(self.latent_dim))
        return z, tf.reshape(columns, [num, -1, self.latent_dim, self.latent_dim])

    def log_volume(self, image, xi):
        """z and log |det ∂z/∂ξ|, by which its density is q(z) = q₀(ξ) / |det ∂z/∂ξ|: [S, B, Z], [S, B].

        That is the density where f(x, ·) takes a value once, which nothing forces it to; where it folds, the density is
        larger, and a bound that takes it so may be too high. It costs as many passes backwards as the code has
        dimensions: for evaluation, and for few draws.

        Args:
            image: [B, ...].
            xi: [S, Z] or [S, B, Z].
        """
        z, jacobian = self.jacobian(image, xi)
        return z, log_abs_det(jacobian)


def _columns_at_once(latent_dim):
    """Columns of the Jacobian that are formed together, None for all.

    Never a divisor of their number: TensorFlow forms what is left over too, and fails where that is nothing and the
    number of rows is not known when the graph is made.
    """
    if latent_dim <= _COLUMNS_AT_ONCE:
        return None
    return next(num for num in range(_COLUMNS_AT_ONCE, 1, -1) if latent_dim % num)


def _draws(xi):
    """S, an int where it is known: it is not where rows, whose number is not, were drawn with it."""
    return tf.shape(xi)[0] if xi.shape[0] is None else xi.shape[0]


class ImplicitMLP(ImplicitEncoder):
    """A multilayer perceptron of an image and noise.

    The first layer adds a product of x, formed once an image, and one of ξ, formed once a draw.

    Args:
        inputs: D.
        latent_dim: Z.
        config: `tfvae.networks.mlp.Config`; `hidden` and `activation` are used.
        observed: what the network sees of x, a function.
    """

    def __init__(self, inputs, latent_dim, config, observed=tf.identity, **kwargs):
        super().__init__(**kwargs)
        if not config.hidden:
            raise ValueError("`network.hidden` needs at least one hidden layer, got ().")
        if config.batch_norm:
            raise ValueError("An encoder z = f(x, ξ) has no batch normalisation: set `network.batch_norm=False`.")
        self.activation = keras.activations.get(config.activation)
        self.latent_dim, self.units = latent_dim, max(config.hidden)
        self.widest = latent_dim * self.units
        self._observed = observed
        self.merge = LinearMerge({"x": inputs, "xi": latent_dim}, config.hidden[0], name=f"{self.name}_merge")
        self.dense = []
        for i, (width, units) in enumerate(zip(config.hidden, (*config.hidden[1:], latent_dim))):
            layer = keras.layers.Dense(units, dtype="float32", name=f"{self.name}_dense{i}")
            layer.build([None, width])
            self.dense.append(layer)
        self.built = True

    def call(self, image, xi, training=False):
        del training  # Nothing here behaves otherwise in training.
        h = self.activation(self._merged(image, xi))
        *hidden, last = self.dense
        for layer in hidden:
            h = self.activation(batch_apply(layer, h))
        return batch_apply(last, h)

    def jacobian(self, image, xi):
        """It is pushed forward through the layers, [S, B, Z, units] at a time."""
        noise_weights = tf.convert_to_tensor(self.merge.maps[1].kernel)
        h, slope = self._activated(self._merged(image, xi))
        jacobian = noise_weights * slope[..., None, :]
        *hidden, last = self.dense
        for layer in hidden:
            h, slope = self._activated(batch_apply(layer, h))
            jacobian = batch_apply(_times(layer.kernel), jacobian) * slope[..., None, :]
        return batch_apply(last, h), batch_apply(_times(last.kernel), jacobian)

    def _merged(self, image, xi):
        return self.merge(self._observed(image), xi[:, None] if xi.shape.rank == 2 else xi)

    def _activated(self, before):
        """The activation and its derivative, both elementwise, float32 in every precision policy."""
        before = tf.cast(before, tf.float32)
        if self.activation is keras.activations.tanh:
            # 4 e^(−2|a|) / (1 + e^(−2|a|))²: as 1 − tanh² it is 0 beyond 9, and one saturated layer a singular map.
            decay = tf.exp(-2.0 * tf.abs(before))
            return tf.tanh(before), 4.0 * decay / (1.0 + decay) ** 2
        with tf.GradientTape() as tape:
            tape.watch(before)
            after = self.activation(before)
        return after, tape.gradient(after, before)


class ImplicitConvolutional(ImplicitEncoder):
    """A convolutional network of an image and a plane of noise stacked on it.

    A convolution of the stack is the sum of two, so the one of x is formed once an image, the one of ξ once a draw.

    Args:
        latent_dim: Z.
        align: a layer from ξ [N, Z] to a plane [N, H, W, 1].
        of_image, of_noise: the first convolution's parts, the latter without a bias.
        trunk: a built model from their sum [N, h, w, filters] to codes [N, Z].
        widest: numbers in the largest activation of one draw.
    """

    def __init__(self, latent_dim, align, of_image, of_noise, trunk, widest, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim, self.units, self.widest = latent_dim, widest, _COLUMNS_AT_ONCE * widest
        self.align, self.of_image, self.of_noise, self.trunk = align, of_image, of_noise, trunk
        self.built = True

    def call(self, image, xi, training=False):
        flat = self.of_noise(self.align(tf.reshape(xi, [-1, self.latent_dim])))
        maps = flat.shape[1:]
        rows = 1 if xi.shape.rank == 2 else tf.shape(image)[0]
        merged = self.of_image(image) + tf.reshape(flat, [_draws(xi), rows, *maps])
        codes = self.trunk(tf.reshape(merged, [-1, *maps]), training=training)
        return tf.reshape(codes, [_draws(xi), -1, self.latent_dim])


class Skip(ImplicitEncoder):
    """z = f(x, ξ) + softplus(a(x)) ξ: noise reaches every unit of the code from the first step on.

    Without it an encoder has to learn its spread through all its layers; not in the source.

    Args:
        encoder: f, an `ImplicitEncoder`.
        inputs: numbers in an image, of which a is linear, and 0 at first.
    """

    def __init__(self, encoder, inputs, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.latent_dim, self.units, self.widest = encoder.latent_dim, encoder.units, encoder.widest
        self.scale = keras.layers.Dense(
            self.latent_dim, activation="softplus", kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(_SCALE_BIAS), dtype="float32", name=f"{self.name}_scale",
        )  # fmt: skip
        self.scale.build([None, inputs])
        self.built = True

    def call(self, image, xi, training=False):
        own = xi[:, None] if xi.shape.rank == 2 else xi
        return self.encoder(image, xi, training=training) + self._scale(image) * own

    def jacobian(self, image, xi):
        z, jacobian = self.encoder.jacobian(image, xi)
        scale = self._scale(image)
        own = xi[:, None] if xi.shape.rank == 2 else xi
        return z + scale * own, jacobian + tf.linalg.diag(scale)

    def _scale(self, image):
        """[B, Z]."""
        return self.scale(tf.reshape(image, [-1, self.scale.kernel.shape[0]]))


def _times(kernel):
    """[N, H] -> [N, H']. As a product of two matrices: TensorFlow fuses a batched one with the factor behind it into an
    operation of oneDNN that ends the process."""
    return lambda rows: tf.linalg.matmul(rows, tf.convert_to_tensor(kernel))
