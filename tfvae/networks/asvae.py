"""The convolutional networks of Pu 2017, figures 5.1 to 5.3."""

import dataclasses

import keras
import numpy as np

from tfvae import ranges
from tfvae.layers.conditional import Conditional
from tfvae.layers.merge import LinearMerge
from tfvae.networks import conv
from tfvae.probability import families


@dataclasses.dataclass
class Config:
    """Strided convolutions with further ones behind them, and the way back; batch normalisation and ReLU everywhere.

    The figures' last "MLP" of a decoder is read as a 3×3 convolution to a pixel's parameters: a matrix from all maps of
    figure 5.1 to all pixels would have 20 million weights.

    Args:
        filters: of the encoder's strided convolutions, and in reverse of the decoder's transposed ones.
        first_kernel: side of the first one's filters; all others have 3.
        blocks: further convolutions behind each strided one.
        decoder_blocks: the same of the decoder, from the code to the image; () for none.
        refinements: filters of the decoder's last convolutions, at the size of the image.
        hidden: widths of dense layers between maps and codes, both ways.
        momentum: of the batch normalisation's running averages.
    """

    filters: tuple[int, ...] = ranges.field((32, 64), ranges.WIDTHS, shortest=1)
    first_kernel: int = ranges.field(3, ranges.SIDES)
    blocks: tuple[int, ...] = ranges.field((0, 0), ranges.LAYERS)
    decoder_blocks: tuple[int, ...] = ranges.field((0, 0), ranges.LAYERS)
    refinements: tuple[int, ...] = ranges.field((), ranges.WIDTHS)
    hidden: tuple[int, ...] = ranges.field((), ranges.WIDTHS)
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)

    def validate(self):
        """Checks the numbers of layers against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if not len(self.filters) == len(self.blocks) == len(self.decoder_blocks):
            raise ValueError(
                "`network.blocks` and `network.decoder_blocks` have a number for each of `network.filters`, got "
                f"{self.blocks} and {self.decoder_blocks} for {self.filters}."
            )

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations are not images.
        """
        conv.check_images(image_shape)

    def capabilities(self):
        """Capabilities that a model has because of this network."""
        return frozenset()

    def prior(self, latent_dim):
        return families.standard_normal(latent_dim)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        return conv.linear_encoder(name, image_shape, lambda image: self._features(name, image), latent_dim, family)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        family = families.of_images(families.LIKELIHOODS[likelihood], image_shape)
        sides = [tuple(image_shape[:2])]
        for _ in self.filters:
            sides.insert(0, tuple(-(-side // 2) for side in sides[0]))
        first = (*sides[0], self.filters[-1])
        widths = (*self.hidden[::-1], int(np.prod(first)))
        inputs = h = keras.Input([widths[0]], name=f"{name}_input")
        for i, width in enumerate(widths[1:]):
            h = keras.layers.Dense(width, name=f"{name}_dense{i}")(self._normalised(h, f"{name}_dense{i}"))
        h = self._normalised(keras.layers.Reshape(first, name=f"{name}_reshape")(h), f"{name}_reshape")
        for i, (filters, blocks, side) in enumerate(zip(reversed(self.filters), self.decoder_blocks, sides[1:])):
            up = keras.layers.Conv2DTranspose(filters, 3, 2, "same", use_bias=False, name=f"{name}_stage{i}")(h)
            # A side that is odd was rounded up.
            surplus = [(0, have - want) for have, want in zip(up.shape[1:3], side)]
            up = keras.layers.Cropping2D(surplus, name=f"{name}_crop{i}")(up)
            h = self._blocks(self._normalised(up, f"{name}_stage{i}"), [filters] * blocks, f"{name}_stage{i}")
        h = self._blocks(h, self.refinements, f"{name}_refinement")
        out = keras.layers.Conv2D(
            family.num_params(image_shape[-1]), 3, padding="same", dtype="float32", name=f"{name}_pixels"
        )(h)  # fmt: skip
        trunk = keras.Model(inputs, conv.parameter_maps(out, image_shape, name), name=f"{name}_trunk")
        return Conditional(LinearMerge({"z": latent_dim}, widths[0], name=f"{name}_merge"), trunk, family, name=name)

    def label_network(self, latent_dim, num_classes):
        """None: a linear classifier."""

    def widest(self, image_shape):
        """Numbers in the largest activation of one image."""
        at_full_size = max(self.refinements, default=self.filters[0])
        return int(np.prod(image_shape[:2])) * max(at_full_size, self.filters[0])

    def _features(self, name, h):
        """The encoder's layers up to its last matrix."""
        for i, (filters, blocks) in enumerate(zip(self.filters, self.blocks)):
            kernel = 3 if i else self.first_kernel
            h = keras.layers.Conv2D(filters, kernel, 2, "same", use_bias=False, name=f"{name}_stage{i}")(h)
            h = self._blocks(self._normalised(h, f"{name}_stage{i}"), [filters] * blocks, f"{name}_stage{i}")
        h = keras.layers.Flatten(name=f"{name}_flatten")(h)
        for i, width in enumerate(self.hidden):
            h = self._normalised(keras.layers.Dense(width, name=f"{name}_dense{i}")(h), f"{name}_dense{i}")
        return h

    def _blocks(self, h, filters, name):
        for j, width in enumerate(filters):
            h = keras.layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv{j}")(h)
            h = self._normalised(h, f"{name}_conv{j}")
        return h

    def _normalised(self, h, name):
        h = keras.layers.BatchNormalization(momentum=self.momentum, name=f"{name}_norm")(h)
        return keras.layers.Activation("relu", name=f"{name}_relu")(h)
