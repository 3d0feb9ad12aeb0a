"""Critics: networks from an image and a code to one number, which tell two joint distributions apart."""

import dataclasses
import itertools

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.probability import noise


@dataclasses.dataclass
class Config:
    """An image and a code, each through layers of its own, and then both through common ones (Pu 2017, figure 5.1).

    Args:
        filters: of the convolutions of images, stride 2, averaged over positions; vectors go through `hidden`.
        kernel: side of the filters.
        hidden: widths of the layers of a vector of pixels and of a code, each.
        joint: widths of the layers of both.
        activation: of every hidden layer.
        batch_norm: as in the figures. Its statistics are those of one call, which holds both sides that are told apart.
        momentum: of its running averages.
        dropout: the share of hidden units that are left out in a critic's own step.
        spectral_norm: every matrix is divided by its largest singular value (Miyato et al. 2018).
    """

    filters: tuple[int, ...] = ranges.field((32, 64), ranges.WIDTHS)
    kernel: int = ranges.field(3, ranges.SIDES)
    hidden: tuple[int, ...] = ranges.field((128,), ranges.WIDTHS)
    joint: tuple[int, ...] = ranges.field((128, 128), ranges.WIDTHS, shortest=1)
    activation: str = ranges.field("relu", ranges.ACTIVATIONS)
    batch_norm: bool = False
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)
    dropout: float = ranges.field(0.0, ranges.BELOW_ONE)
    spectral_norm: bool = False


class Critic(keras.layers.Layer):
    """f(x, z), or f(x) of a code of no dimensions.

    Args:
        config: `Config`.
        image_shape: of x, (D,) or (H, W, C).
        latent_dim: of z; 0 for a critic of images alone.
    """

    def __init__(self, config, image_shape, latent_dim=0, **kwargs):
        ranges.check(config, "model.critic_network")
        super().__init__(**kwargs)
        self.config = config
        width, self.of_image = self._of_image(tuple(image_shape))
        self.of_code, code_width = [], 0
        if latent_dim:
            self.of_code, code_width = self._dense("z", latent_dim, config.hidden), (latent_dim, *config.hidden)[-1]
        self.joint = self._dense("xz", width + code_width, config.joint)
        self.out = Affine([config.joint[-1], 1], spectral_norm=config.spectral_norm, name=f"{self.name}_out")
        self.built = True

    def call(self, x, z=None, seed=None, training=False):
        """[N] of x [N, ...] and z [N, Z]; `seed`, int32 [2], is of the dropout of a step of the critic's own."""
        seeds = iter(noise.split(noise.seed(0) if seed is None else seed, 3))
        h = self._through(self.of_image, x, next(seeds), training)
        if h.shape.rank == 4:
            h = tf.reduce_mean(h, axis=[1, 2])
        if self.of_code:
            h = tf.concat([h, self._through(self.of_code, z, next(seeds), training)], axis=-1)
        elif z is not None:
            h = tf.concat([h, z], axis=-1)
        h = self._through(self.joint, h, next(seeds), training)
        return self.out(h, training=training)[..., 0]

    def _through(self, blocks, h, seed, training):
        for number, (affine, norm) in enumerate(blocks):
            h = affine(h, training=training)
            h = norm(h, training=training) if norm is not None else h
            h = keras.activations.get(self.config.activation)(h)
            if training and self.config.dropout:
                kept = noise.uniform(tf.shape(h), noise.fold_in(seed, number)) >= self.config.dropout
                h = tf.where(kept, h / (1.0 - self.config.dropout), 0.0)
        return h

    def _of_image(self, shape):
        """Width of the features, and the layers."""
        if len(shape) == 1:
            return (*shape, *self.config.hidden)[-1], self._dense("x", shape[0], self.config.hidden)
        channels = (shape[-1], *self.config.filters)
        side = self.config.kernel
        return channels[-1], [
            self._block(f"x{i}", [side, side, *pair]) for i, pair in enumerate(itertools.pairwise(channels))
        ]  # fmt: skip

    def _dense(self, name, width, widths):
        return [self._block(f"{name}{i}", pair) for i, pair in enumerate(zip((width, *widths), widths))]

    def _block(self, name, shape):
        """A layer and its batch normalisation, None without."""
        config, norm = self.config, None
        affine = Affine(shape, spectral_norm=config.spectral_norm, name=f"{self.name}_{name}")
        if config.batch_norm:
            norm = keras.layers.BatchNormalization(momentum=config.momentum, name=f"{self.name}_{name}_norm")
            norm.build([None] * (len(shape) - 1) + [shape[-1]])
        return affine, norm


class Affine(keras.layers.Layer):
    """W h + b of vectors, or the convolution of images with stride 2.

    Args:
        shape: of W, (in, out) or (side, side, in, out).
        spectral_norm: whether W is divided; a step of the power method is taken in every call in training.
    """

    def __init__(self, shape, spectral_norm=False, **kwargs):
        super().__init__(**kwargs)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")
        self.left = None
        if spectral_norm:
            self.left = self.add_weight(
                shape=[1, shape[-1]], initializer="random_normal", trainable=False, aggregation="mean", name="left"
            )
        self.built = True

    def call(self, h, training=False):
        kernel = tf.convert_to_tensor(self.kernel)
        kernel = self._divided(kernel, training) if self.left is not None else kernel
        h = tf.cast(h, kernel.dtype)
        if kernel.shape.rank == 2:
            return tf.matmul(h, kernel) + self.bias
        return tf.nn.conv2d(h, kernel, 2, "SAME") + self.bias

    def _divided(self, kernel, training):
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        left = tf.convert_to_tensor(self.left)
        right = tf.math.l2_normalize(tf.matmul(left, tf.stop_gradient(matrix), transpose_b=True))
        left = tf.math.l2_normalize(tf.matmul(right, tf.stop_gradient(matrix)))
        if training:
            self.left.assign(left)
        # v ↦ uᵀ W v with u and v held is linear in W, and its value is the singular value.
        return kernel / tf.matmul(tf.matmul(right, matrix), left, transpose_b=True)[0, 0]


def widest(config, image_shape):
    """Numbers in the largest activation of one image."""
    if len(image_shape) == 1:
        return max(*config.joint, *config.hidden, *image_shape)
    return max(int(np.prod([-(-side // 2) for side in image_shape[:2]])) * config.filters[0], *config.joint)
