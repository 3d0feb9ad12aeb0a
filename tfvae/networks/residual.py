"""Residual convolutional networks of large photographs and one code that is a map (Pu 2017, table 4.5)."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.layers.conditional import Conditional
from tfvae.networks import conv, implicit
from tfvae.probability import families


@dataclasses.dataclass
class Config:
    """An all-convolutional residual encoder, and its mirror image as the decoder.

    The code is a map of `code_channels` channels at the coarsest resolution, where the table names no size; its classes
    come from 1×1 convolutions of it, averaged over positions. ξ is of the code's shape; each position's channels are
    laid out as a square and enlarged to the patch of the image that lies above it, one plane stacked on the image.

    Args:
        widths: channels of the stages, from the finest.
        blocks: residual layers of 3×3 behind the first convolution of every stage.
        first_kernel, first_stride: of the first convolution; later stages have 3×3 and stride 2.
        code_channels: of the code, a square number.
        label_units: kernels of the label decoder's 1×1 convolution.
        momentum: of the batch normalisation's running averages.
    """

    widths: tuple[int, ...] = ranges.field((64, 128, 256, 512), ranges.WIDTHS, shortest=1)
    blocks: int = ranges.field(3, ranges.LAYERS._replace(least=1))
    first_kernel: int = ranges.field(7, ranges.SIDES)
    first_stride: int = ranges.field(4, ranges.SIDES)
    code_channels: int = ranges.field(4, ranges.WIDTHS)
    label_units: int = ranges.field(2048, ranges.WIDTHS)
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)

    def validate(self):
        """Checks the code against the strides.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if math.isqrt(self.code_channels) ** 2 != self.code_channels:
            raise ValueError(f"`network.code_channels` must be a square number, got {self.code_channels}.")
        patch = self._patch()
        if patch % math.isqrt(self.code_channels):
            raise ValueError(
                f"The root of `network.code_channels`={self.code_channels} must divide the patch of {patch} pixels "
                "(the product of the strides) that a position of the code lies above."
            )

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the strides do not divide the sides of the images.
        """
        conv.check_images(image_shape)
        patch = self._patch()
        if image_shape[0] % patch or image_shape[1] % patch:
            raise ValueError(
                f"Images of {image_shape[0]}×{image_shape[1]} are not covered by patches of {patch}×{patch}, the "
                f"product of the strides: set `data.image_size` to a multiple of {patch}."
            )

    def capabilities(self):
        """Capabilities that a model has because of this network."""
        return frozenset()

    def prior(self, latent_dim):
        return families.standard_normal(latent_dim)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        self._check_code(image_shape, latent_dim)

        def features(image):
            return keras.layers.Flatten(name=f"{name}_flatten")(self._stages(name, self._first(name)(image)))

        return conv.linear_encoder(name, image_shape, features, latent_dim, family)

    def implicit(self, name, image_shape, latent_dim):
        side = self._check_code(image_shape, latent_dim)
        enlarged = self._patch() // math.isqrt(self.code_channels)
        align = keras.Sequential(
            [keras.Input([latent_dim]), keras.layers.Reshape([*side, self.code_channels], name=f"{name}_cells"),
             DepthToSpace(math.isqrt(self.code_channels), name=f"{name}_squares"),
             keras.layers.UpSampling2D(enlarged, name=f"{name}_enlarged")], name=f"{name}_plane",
        )  # fmt: skip
        of_image, of_noise = self._first(f"{name}_image"), self._first(f"{name}_noise", use_bias=False)
        of_image.build([None, *image_shape])
        of_noise.build([None, *image_shape[:2], 1])
        first = keras.Input(of_image.compute_output_shape([None, *image_shape])[1:], name=f"{name}_merged")
        codes = keras.layers.Conv2D(self.code_channels, 1, dtype="float32", name=f"{name}_codes")(
            self._stages(name, first)
        )
        trunk = keras.Model(first, keras.layers.Flatten(name=f"{name}_flatten")(codes), name=f"{name}_trunk")
        widest = max(int(np.prod(first.shape[1:])), int(np.prod(image_shape)))
        return implicit.ImplicitConvolutional(latent_dim, align, of_image, of_noise, trunk, widest, name=name)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        side = self._check_code(image_shape, latent_dim)
        family = families.of_images(families.LIKELIHOODS[likelihood], image_shape)
        inputs = keras.Input([latent_dim], name=f"{name}_code")
        h = keras.layers.Reshape([*side, self.code_channels], name=f"{name}_cells")(inputs)
        h = self._normalised(keras.layers.Conv2D(self.widths[-1], 1, name=f"{name}_widen")(h), f"{name}_widen")
        for i in reversed(range(len(self.widths))):
            h = self._residual(h, f"{name}_stage{i}")
            if i:
                h = keras.layers.Conv2DTranspose(self.widths[i - 1], 3, 2, padding="same", name=f"{name}_up{i}")(h)
                h = self._normalised(h, f"{name}_up{i}")
        h = keras.layers.Conv2DTranspose(
            family.num_params(image_shape[-1]), self.first_kernel, self.first_stride, padding="same", name=f"{name}_up0"
        )(h)
        trunk = keras.Model(inputs, conv.parameter_maps(h, image_shape, name), name=f"{name}_trunk")
        return Conditional(tf.identity, trunk, family, name=name)

    def label_network(self, latent_dim, num_classes):
        positions = latent_dim // self.code_channels

        def network(name):
            inputs = keras.Input([latent_dim], name=f"{name}_code")
            h = keras.layers.Reshape([positions, self.code_channels], name=f"{name}_cells")(inputs)
            h = keras.layers.Dense(self.label_units, activation="leaky_relu", name=f"{name}_hidden")(h)
            h = keras.layers.GlobalAveragePooling1D(name=f"{name}_average")(h)
            return keras.Model(
                inputs, keras.layers.Dense(num_classes, dtype="float32", name=f"{name}_out")(h), name=name
            )

        return network

    def _patch(self):
        return self.first_stride * 2 ** (len(self.widths) - 1)

    def _check_code(self, image_shape, latent_dim):
        """The code's (h, w).

        Raises:
            ValueError: if the number of latents is another one.
        """
        side = tuple(n // self._patch() for n in image_shape[:2])
        needed = side[0] * side[1] * self.code_channels
        if latent_dim != needed:
            raise ValueError(
                f"The code of an image of {image_shape[0]}×{image_shape[1]} is a map of {side[0]}×{side[1]}×"
                f"{self.code_channels}: set `model.latent_dim`={needed}, got {latent_dim}."
            )
        return side

    def _first(self, name, **kwargs):
        return keras.layers.Conv2D(
            self.widths[0], self.first_kernel, self.first_stride, padding="same", name=f"{name}_conv", **kwargs
        )

    def _stages(self, name, h):
        """From the first convolution's sum to the coarsest maps."""
        h = self._normalised(h, f"{name}_stage0_first")
        for i, width in enumerate(self.widths):
            if i:
                h = keras.layers.Conv2D(width, 3, 2, padding="same", name=f"{name}_stage{i}_down")(h)
                h = self._normalised(h, f"{name}_stage{i}_down")
            h = self._residual(h, f"{name}_stage{i}")
        return h

    def _residual(self, h, name):
        for j in range(self.blocks):
            inner = keras.layers.Conv2D(h.shape[-1], 3, padding="same", name=f"{name}_conv{j}")(h)
            h = keras.layers.Add(name=f"{name}_add{j}")([h, self._normalised(inner, f"{name}_conv{j}")])
        return h

    def _normalised(self, h, name):
        h = keras.layers.BatchNormalization(momentum=self.momentum, name=f"{name}_norm")(h)
        return keras.layers.Activation("leaky_relu", name=f"{name}_activation")(h)


class DepthToSpace(keras.layers.Layer):
    """[N, h, w, b²] -> [N, b h, b w, 1]: the channels of a position as a square."""

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def call(self, cells):
        if self.block == 1:
            return cells
        height, width = cells.shape[1:3]
        squares = keras.ops.reshape(cells, [-1, height, width, self.block, self.block])
        squares = keras.ops.transpose(squares, [0, 1, 3, 2, 4])
        return keras.ops.reshape(squares, [-1, height * self.block, width * self.block, 1])
