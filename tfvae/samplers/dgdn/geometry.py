"""The linear map from codes to images that maps and dictionaries make, and what of an image each part of it reaches.

Layers are counted from 0, the lowest. With C_l the full convolution with a layer's dictionary and U_l its unpooling, an
image is C_0 U_0 C_1 U_1 ... C_top s and a residual.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.layers import unpooling
from tfvae.layers.dictionary import full_convolution
from tfvae.networks import dgdn


class Geometry(NamedTuple):
    """Sizes of a model.

    image_shape: (H, W, C).
    levels:      `tfvae.networks.dgdn.Level`s.
    elements:    K of every layer.
    sizes:       n of every layer.
    outcomes:    of a block of every pooled layer.
    """

    image_shape: tuple[int, int, int]
    levels: tuple[dgdn.Level, ...]
    elements: tuple[int, ...]
    sizes: tuple[int, ...]
    outcomes: tuple[int, ...]

    @classmethod
    def of(cls, image_shape, network):
        """From (H, W, C) and a `tfvae.networks.dgdn.Config`.

        Raises:
            ValueError: if the sizes do not fit each other, or the images.
        """
        network.validate()
        levels = dgdn.levels(image_shape[:2], network)
        outcomes = tuple(block**2 + network.zero_blocks for block in network.pooling)
        if max(outcomes, default=0) > 256:
            raise ValueError(f"A block has at most 255 cells, got `network.pooling`={network.pooling}.")
        return cls(tuple(image_shape), levels, tuple(network.elements), tuple(network.sizes), outcomes)

    @property
    def num_layers(self):
        return len(self.levels)

    @property
    def num_pooled(self):
        """Layers that have maps."""
        return len(self.levels) - 1

    @property
    def code_shape(self):
        return (*self.levels[-1].maps, self.elements[-1])

    @property
    def code_dim(self):
        return int(np.prod(self.code_shape))

    @property
    def num_pixels(self):
        """Numbers in an image."""
        return int(np.prod(self.image_shape))

    def channels(self, layer):
        """Slices of an element of a layer: elements of the layer below, or channels of the image."""
        return self.elements[layer - 1] if layer else self.image_shape[2]

    def dictionary_shape(self, layer):
        return (self.sizes[layer], self.sizes[layer], self.channels(layer), self.elements[layer])

    def map_shape(self, layer):
        """(h, w, K) of the blocks of a pooled layer."""
        level = self.levels[layer]
        return (level.maps[0] // level.block, level.maps[1] // level.block, self.elements[layer])

    # Downwards.

    def masks(self, maps):
        """The mask of every pooled layer, [N, H, W, K], of positions."""
        return [unpooling.mask_of(tf.cast(u, tf.int32), level.block) for u, level in zip(maps, self.levels)]

    def down(self, activations, dictionary, layer):
        """C_l: [M, H, W, K] -> [M, h, w, K below]; a dictionary of fewer elements takes as many maps."""
        below = self.levels[layer].crop(full_convolution(activations, dictionary))
        return tf.ensure_shape(below, [None, *self.levels[layer].size, dictionary.shape[2]])

    def pooled(self, code, dictionaries, masks):
        """The values that every pooled layer unpools, [N, h, w, K], from the lowest layer up."""
        values, activations = [], code
        for layer in range(self.num_pooled, 0, -1):
            values.append(self.down(activations, dictionaries[layer], layer))
            activations = unpooling.unpool(values[-1], masks[layer - 1], self.levels[layer - 1].block)
        return values[::-1]

    def activations(self, code, dictionaries, masks):
        """S of every layer, [N, H, W, K], from the lowest up."""
        values = self.pooled(code, dictionaries, masks)
        below = [unpooling.unpool(value, mask, level.block) for value, mask, level in zip(values, masks, self.levels)]
        return [*below, code]

    def fit(self, code, dictionaries, masks):
        """The mean of p(x | s, u): [N, H, W, C]."""
        return self.down(self.activations(code, dictionaries, masks)[0], dictionaries[0], 0)

    def reached(self, activations, layer, dictionary, dictionaries, masks):
        """What activations of some maps of a layer add to images, W_l C_l.

        Args:
            activations: [J, M, H, W, k]; M is N, or 1 for what all images have.
            layer: theirs.
            dictionary: the k elements of these maps, [n, n, K below, k].
            dictionaries: of the layers below it.
            masks: of the layers below it.

        Returns:
            [J, N, H, W, C], or [J, M, H, W, C] for the lowest layer.
        """
        num, each = activations.shape[0], tf.shape(activations)[1]
        below = self.down(tf.reshape(activations, [-1, *activations.shape[2:]]), dictionary, layer)
        return self._unpooled(below, num, each, layer, dictionaries, masks)

    def reached_by_pooled(self, values, layer, channel, dictionaries, masks):
        """What pooled values of one map of a layer add to images, the columns of W_l.

        Args:
            values: [J, 1, h, w, 1].
            layer: theirs.
            channel: the map's number, an int32 scalar.
            dictionaries, masks: of this layer and those below it.

        Returns:
            [J, N, H, W, C].
        """
        mask = tf.gather(masks[layer], [channel], axis=-1)
        element = tf.gather(dictionaries[layer], [channel], axis=-1)
        spread = _unpool_all(values[:, 0], mask, self.levels[layer].block)
        below = self.down(spread, element, layer)
        return self._unpooled(below, values.shape[0], tf.shape(mask)[0], layer, dictionaries, masks)

    def _unpooled(self, below, num, each, layer, dictionaries, masks):
        """The rest of the way from what lies below a layer, [num · each, ...]."""
        for lower in range(layer - 1, -1, -1):
            block = self.levels[lower].block
            alone = lower == layer - 1 and below.shape[0] == num and masks[lower].shape[0] != 1
            if alone:
                spread, each = _unpool_all(below, masks[lower], block), tf.shape(masks[lower])[0]
            else:
                spread = unpooling.unpool(below, tf.tile(masks[lower], [num, 1, 1, 1]), block)
            below = self.down(spread, dictionaries[lower], lower)
        return tf.reshape(below, [num, each, *self.image_shape])

    # What of an image a block reaches.

    def reach(self, layer):
        """(rows [h, H], columns [w, W]) of 0 and 1, as of `tfvae.networks.dgdn.reach`."""
        return dgdn.reach(self.levels[: layer + 1])

    def colours(self, layer):
        """(colour of every block [h, w], number of colours): blocks of one map and one colour reach no pixel in common.

        Given all else they are independent, so they are drawn together.
        """
        spacings = []
        for reached in self.reach(layer):
            meets = reached @ reached.T > 0
            apart = np.abs(np.subtract.outer(np.arange(len(meets)), np.arange(len(meets))))
            spacings.append(int(apart[meets].max()) + 1)
        height, width, _ = self.map_shape(layer)
        rows, columns = np.arange(height) % spacings[0], np.arange(width) % spacings[1]
        colour = rows[:, None] * spacings[1] + columns
        present, colour = np.unique(colour, return_inverse=True)
        return colour.reshape(height, width).astype(np.int32), len(present)


def _unpool_all(values, mask, block):
    """Values that all images have, unpooled by the mask of each: [J, h, w, K], [N, H, W, K] -> [J · N, H, W, K]."""
    num, images = values.shape[0], tf.shape(mask)[0]
    return unpooling.unpool(tf.repeat(values, images, axis=0), tf.tile(mask, [num, 1, 1, 1]), block)
