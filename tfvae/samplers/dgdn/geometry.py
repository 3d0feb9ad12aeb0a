"""The linear map from codes to images that maps and dictionaries make, and what of an image each part of it reaches.

Layers are counted from 0, the lowest. With C_l the full convolution with a layer's dictionary and U_l its unpooling, an
image is C_0 U_0 C_1 U_1 ... C_top s and a residual.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import ranges
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

    image_shape: tuple[int, ...]
    levels: tuple[dgdn.Level, ...]
    elements: tuple[int, ...]
    sizes: tuple[int, ...]
    outcomes: tuple[int, ...]

    @classmethod
    def of(cls, image_shape: tuple[int, ...], network: dgdn.Config) -> "Geometry":
        """From (H, W, C) and a `tfvae.networks.dgdn.Config`.

        Raises:
            ValueError: if the sizes do not fit each other, or the images.
        """
        ranges.check(network, "model.network")
        levels = dgdn.levels(image_shape[:2], network)
        outcomes = tuple(block**2 + network.zero_blocks for block in network.pooling)
        if max(outcomes, default=0) > 256:
            raise ValueError(
                f"A block has at most 256 outcomes, blank counted, got {max(outcomes)}: set `network.pooling` below 16."
            )
        return cls(tuple(image_shape), levels, tuple(network.elements), tuple(network.sizes), outcomes)

    @property
    def num_layers(self) -> int:
        return len(self.levels)

    @property
    def num_pooled(self) -> int:
        """Layers that have maps."""
        return len(self.levels) - 1

    @property
    def code_shape(self) -> tuple[int, int, int]:
        return (*self.levels[-1].maps, self.elements[-1])

    @property
    def code_dim(self) -> int:
        return int(np.prod(self.code_shape))

    @property
    def num_pixels(self) -> int:
        """Numbers in an image."""
        return int(np.prod(self.image_shape))

    def channels(self, layer: int) -> int:
        """Slices of an element of a layer: elements of the layer below, or channels of the image."""
        return self.elements[layer - 1] if layer else self.image_shape[2]

    def dictionary_shape(self, layer: int) -> tuple[int, int, int, int]:
        return (self.sizes[layer], self.sizes[layer], self.channels(layer), self.elements[layer])

    def map_shape(self, layer: int) -> tuple[int, int, int]:
        """(h, w, K) of the blocks of a pooled layer."""
        level = self.levels[layer]
        return (level.maps[0] // level.block, level.maps[1] // level.block, self.elements[layer])

    # Downwards.

    def masks(self, maps: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The mask of every pooled layer, [N, H, W, K], of positions."""
        return [unpooling.mask_of(tf.cast(u, tf.int32), level.block) for u, level in zip(maps, self.levels)]

    def down(self, activations: tf.Tensor, dictionary: tf.Tensor, layer: int) -> tf.Tensor:
        """C_l: [M, H, W, K] -> [M, h, w, K below]; a dictionary of fewer elements takes as many maps."""
        below = self.levels[layer].crop(full_convolution(activations, dictionary))
        return tf.ensure_shape(below, [None, *self.levels[layer].size, dictionary.shape[2]])

    def pooled(self, code: tf.Tensor, dictionaries: Sequence[tf.Tensor], masks: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The values that every pooled layer unpools, [N, h, w, K], from the lowest layer up."""
        values, activations = [], code
        for layer in range(self.num_pooled, 0, -1):
            values.append(self.down(activations, dictionaries[layer], layer))
            activations = unpooling.unpool(values[-1], masks[layer - 1], self.levels[layer - 1].block)
        return values[::-1]

    def activations(
        self, code: tf.Tensor, dictionaries: Sequence[tf.Tensor], masks: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """S of every layer, [N, H, W, K], from the lowest up."""
        values = self.pooled(code, dictionaries, masks)
        below = [unpooling.unpool(value, mask, level.block) for value, mask, level in zip(values, masks, self.levels)]
        return [*below, code]

    def fit(self, code: tf.Tensor, dictionaries: Sequence[tf.Tensor], masks: Sequence[tf.Tensor]) -> tf.Tensor:
        """The mean of p(x | s, u): [N, H, W, C]."""
        return self.down(self.activations(code, dictionaries, masks)[0], dictionaries[0], 0)

    def reached(
        self,
        activations: tf.Tensor,
        layer: int,
        dictionary: tf.Tensor,
        dictionaries: Sequence[tf.Tensor],
        masks: Sequence[tf.Tensor],
    ) -> tf.Tensor:
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

    def _unpooled(
        self,
        below: tf.Tensor,
        num: int,
        each: tf.Tensor,
        layer: int,
        dictionaries: Sequence[tf.Tensor],
        masks: Sequence[tf.Tensor],
    ) -> tf.Tensor:
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

    # As matrices.

    def table(self, layer: int, dictionary: tf.Tensor) -> tf.Tensor:
        """C_l: what a unit at each cell of each map adds to what lies below, [cells, K, numbers below]."""
        height, width = self.levels[layer].maps
        cells, (size, _, channels, count) = height * width, dictionary.shape
        impulses = tf.reshape(tf.eye(cells), [cells, height, width, 1])
        found = self.down(impulses, tf.reshape(dictionary, [size, size, channels * count, 1]), layer)
        return tf.transpose(tf.reshape(found, [cells, -1, count]), [0, 2, 1])

    def cells(self, layer: int) -> np.ndarray:
        """The cell of a layer's maps that every outcome of every block is, int32 [blocks, P]; `blank` is one more."""
        level = self.levels[layer]
        (height, width), block = level.maps, level.block
        numbers = np.arange(height * width).reshape(height // block, block, width // block, block)
        of_blocks = numbers.transpose(0, 2, 1, 3).reshape(-1, block**2)
        blank = np.full([len(of_blocks), self.outcomes[layer] - block**2], height * width)
        return np.concatenate([of_blocks, blank], axis=1).astype(np.int32)

    def columns(
        self,
        layer: int,
        dictionaries: Sequence[tf.Tensor],
        positions: Sequence[tf.Tensor],
        channel: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """W_l, what each unit of a pooled layer adds to each image.

        Args:
            layer: a pooled one.
            dictionaries: of this layer and those below it.
            positions: their maps, [N, h, w, K].
            channel: of one map alone, an int32 scalar; None for all of them.

        Returns:
            [N, units, H·W·C], units in the order [h, w, K] or [h, w].
        """
        dictionary, position = dictionaries[layer], tf.cast(positions[layer], tf.int32)
        if channel is not None:
            dictionary, position = (tf.gather(of, [channel], axis=-1) for of in (dictionary, position))
        table = tf.pad(self.table(layer, dictionary), [(0, 1), (0, 0), (0, 0)])  # A blank block adds nothing.
        cells, count = self.cells(layer), dictionary.shape[-1]
        block = tf.range(len(cells))[:, None] * cells.shape[1]
        cell = tf.gather(cells.ravel(), block + tf.reshape(position, [-1, len(cells), count]))
        rows = tf.gather(tf.reshape(table, [-1, table.shape[-1]]), cell * count + tf.range(count))
        rows = tf.reshape(rows, [-1, len(cells) * count, table.shape[-1]])
        return tf.matmul(rows, self.columns(layer - 1, dictionaries, positions)) if layer else rows

    def effects(
        self, dictionaries: Sequence[tf.Tensor], positions: Sequence[tf.Tensor], num: int | tf.Tensor
    ) -> tf.Tensor:
        """A: what a unit of each place of the code adds to each image, [N, Z, H·W·C]."""
        top = self.num_layers - 1
        table = tf.reshape(self.table(top, dictionaries[top]), [self.code_dim, -1])
        if not top:
            return tf.broadcast_to(table, [num, *table.shape])
        return tf.einsum("zu,nup->nzp", table, self.columns(top - 1, dictionaries, positions))

    # What of an image a block reaches.

    def reach(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows [h, H], columns [w, W]) of 0 and 1, as of `tfvae.networks.dgdn.reach`."""
        return dgdn.reach(self.levels[: layer + 1])

    def colours(self, layer: int) -> tuple[np.ndarray, int]:
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


def _unpool_all(values: tf.Tensor, mask: tf.Tensor, block: int) -> tf.Tensor:
    """Values that all images have, unpooled by the mask of each: [J, h, w, K], [N, H, W, K] -> [J · N, H, W, K]."""
    num, images = values.shape[0], tf.shape(mask)[0]
    return unpooling.unpool(tf.repeat(values, images, axis=0), tf.tile(mask, [num, 1, 1, 1]), block)
