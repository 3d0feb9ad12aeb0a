"""The bottom-up and the top-down pass of the deep generative deconvolutional network."""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.layers import unpooling
from tfvae.layers.dictionary import DictionaryConvolution, FilterBank, MapwiseGaussian
from tfvae.layers.pooling import PoolingLogits

# Of the running mean of the maps' probabilities: that of the last hundred steps or so.
_USUAL_DECAY = 0.99


@dataclasses.dataclass
class Config:
    """A row of Pu et al. 2016, table 5.

    Args:
        elements: dictionary elements of each layer, from the image up.
        sizes: side of a dictionary element of each layer.
        pooling: side of the blocks between one layer and the next, one fewer than layers.
        pooling_hidden: units of the network that gives the logits of a block's map (the source prints none).
        code_hidden: units of each map's network for q(s | x) (the source prints none).
        zero_blocks: a block may also be blank as a whole (Pu 2017, section 3.2.3).
    """

    elements: tuple[int, ...] = ranges.field((30, 80), ranges.WIDTHS, shortest=1)
    sizes: tuple[int, ...] = ranges.field((8, 6), ranges.SIDES, shortest=1)
    pooling: tuple[int, ...] = ranges.field((3,), ranges.SIDES)
    pooling_hidden: int = ranges.field(16, ranges.WIDTHS)
    code_hidden: int = ranges.field(16, ranges.WIDTHS)
    zero_blocks: bool = False

    def validate(self):
        """Checks the sizes against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if not len(self.elements) == len(self.sizes) == len(self.pooling) + 1:
            raise ValueError(
                "`network.elements` and `network.sizes` have an entry a layer, `network.pooling` one fewer, got "
                f"{self.elements}, {self.sizes} and {self.pooling}."
            )


class Level(NamedTuple):
    """The sizes around one layer.

    size:    (H, W) of what the layer explains.
    padding: ((top, bottom), (left, right)) zeros around it, so that blocks tile the maps.
    maps:    (H, W) of the activation maps.
    block:   side of their blocks; 1 at the top.
    """

    size: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    maps: tuple[int, int]
    block: int

    def crop(self, below):
        """What the layer explains, of what its maps give: [N, maps + n − 1, C] -> [N, *size, C]."""
        (top, _), (left, _) = self.padding
        height, width = self.size
        return below[:, top : top + height, left : left + width]


def levels(image_size, config):
    """The sizes of every layer, from the image up.

    Raises:
        ValueError: for an image too small for the layers.
    """
    found, size = [], tuple(image_size)
    for layer, (n, block) in enumerate(zip(config.sizes, (*config.pooling, 1), strict=True), start=1):
        valid = [side - n + 1 for side in size]
        if min(valid) < 1:
            raise ValueError(
                f"Images of {image_size[0]}×{image_size[1]} are too small: layer {layer} has {size[0]}×{size[1]} cells "
                f"for dictionary elements of {n}×{n}. Use smaller `network.sizes` or `network.pooling`, or resize."
            )
        maps = tuple(-(-side // block) * block for side in valid)
        extra = [wide - side for wide, side in zip(maps, valid)]
        found.append(Level(size, tuple((e // 2, e - e // 2) for e in extra), maps, block))
        size = tuple(side // block for side in maps)
    return tuple(found)


class Deconvnet(keras.layers.Layer):
    """Filters and pooling maps upwards, dictionaries and unpooling downwards, over the same blocks.

    Where blocks do not tile a map, the encoder pads the input of that layer with zeros and the decoder crops.

    `usual` holds for every pooled layer [K, P], how probable each outcome was in the blocks of a map of late: what
    stands for the maps where there is no image to infer them from.

    Args:
        image_shape: (H, W, C).
        config: `Config`.
        with_maps: whether pooling maps have a distribution; else pooling takes the maximum.
    """

    def __init__(self, image_shape, config, with_maps=True, **kwargs):
        super().__init__(**kwargs)
        ranges.check(config, "model.network")
        self.levels = levels(image_shape[:2], config)
        self.num_outcomes = tuple(block**2 + config.zero_blocks for block in config.pooling)
        channels = (image_shape[2], *config.elements)
        each = list(zip(channels, config.elements, config.sizes))
        self.filters = [FilterBank(*sizes, name=f"filters{i}") for i, sizes in enumerate(each, start=1)]
        self.dictionaries = [DictionaryConvolution(*sizes, name=f"dictionary{i}") for i, sizes in enumerate(each, 1)]
        self.pooling = []
        if with_maps:
            self.pooling = [
                PoolingLogits(block, config.pooling_hidden, outcomes, name=f"pooling{i}")
                for i, (block, outcomes) in enumerate(zip(config.pooling, self.num_outcomes), start=1)
            ]
        self.usual = [
            self.add_weight(
                shape=[count, outcomes], initializer=keras.initializers.Constant(1.0 / outcomes), trainable=False,
                aggregation="mean", name=f"usual{i}",
            )
            for i, (count, outcomes) in enumerate(zip(config.elements, self.num_outcomes), 1)
            if with_maps
        ]  # fmt: skip
        top = self.levels[-1].maps
        self.code_shape = (*top, config.elements[-1])
        self.code = MapwiseGaussian(config.elements[-1], top[0] * top[1], config.code_hidden, name="code")
        self.built = True

    @property
    def widest_layer(self):
        """Numbers in the largest maps of one image."""
        sizes = [level.maps[0] * level.maps[1] for level in self.levels]
        return max(size * bank.filters.shape[-1] for size, bank in zip(sizes, self.filters))

    @property
    def recognition_variables(self):
        """Variables of the way up."""
        return [v for layer in (*self.filters, *self.pooling, self.code) for v in layer.variables]

    @property
    def num_pooled(self):
        """Layers whose maps are pooled: one fewer than there are layers."""
        return len(self.levels) - 1

    def up(self, below, layer):
        """Filters of layer `layer` (from 0) on what lies below it: [N, h, w, C] -> [N, H, W, K]."""
        level = self.levels[layer]
        padded = tf.pad(below, [(0, 0), *level.padding, (0, 0)]) if level.padding != ((0, 0), (0, 0)) else below
        return tf.ensure_shape(self.filters[layer](padded), [None, *level.maps, None])

    def down(self, maps, layer):
        """Dictionary of layer `layer` on its activation maps: [N, H, W, K] -> [N, h, w, C]."""
        return self.levels[layer].crop(self.dictionaries[layer](maps))

    def top_down(self, code, masks):
        """The mean of p(x | s, u): codes [N, Z] and the mask of every pooled layer -> [N, H, W, C]."""
        return self.image(self.lowest(code, masks), masks)

    def lowest(self, code, masks):
        """What the lowest layer unpools, [N, h, w, K]; in a model of one layer its activation maps."""
        maps = tf.reshape(code, [-1, *self.code_shape])
        for layer in range(self.num_pooled, 0, -1):
            maps = self.down(maps, layer)
            if layer > 1:
                maps = unpooling.unpool(maps, masks[layer - 1], self.levels[layer - 1].block)
        return maps

    def image(self, lowest, masks):
        """The rest of `top_down`: the mean of p(x | s, u), linear in `lowest`."""
        return self.down(unpooling.unpool(lowest, masks[0], self.levels[0].block) if masks else lowest, 0)

    def map_shape(self, layer):
        """(h, w, K) of the blocks of a pooled layer."""
        level = self.levels[layer]
        return (level.maps[0] // level.block, level.maps[1] // level.block, self.filters[layer].filters.shape[-1])

    # Masks of all pooled layers where no image gives them.

    def follow_maps(self, logits):
        """Takes the logits of a step, [N, h, w, K, P] a layer, into `usual`."""
        for usual, at_step in zip(self.usual, logits, strict=True):
            probs = tf.reduce_mean(tf.nn.softmax(at_step), axis=[0, 1, 2])
            usual.assign(_USUAL_DECAY * usual + (1.0 - _USUAL_DECAY) * probs)

    def usual_masks(self, num=1):
        """For every pooled layer the cell that is most probable in a map, the same in all its blocks: [num, H, W, K].

        Where unpooling is deterministic, the top left one. Pu 2017, section 3.5.6.
        """
        masks = []
        for layer, block in enumerate(self._blocks()):
            height, width, count = self.map_shape(layer)
            cell = tf.zeros([count], tf.int32)
            if self.usual:
                cell = tf.argmax(self.usual[layer][:, : block**2], axis=-1, output_type=tf.int32)
            masks.append(unpooling.mask_of(tf.broadcast_to(cell, [num, height, width, count]), block))
        return masks

    def prior_masks(self, num, seeds):
        """Masks drawn from the prior, a seed a pooled layer; the top left cells where unpooling is deterministic."""
        if not self.pooling:
            return self.usual_masks(num)
        masks = []
        for layer, (block, seed) in enumerate(zip(self._blocks(), seeds)):
            position = unpooling.uniform_position([num, *self.map_shape(layer)], self.num_outcomes[layer], seed)
            masks.append(unpooling.mask_of(position, block))
        return masks

    def even_masks(self, num):
        """The mean of the prior's masks: every cell gets its share of a value."""
        return [
            tf.fill([num, *self.levels[layer].maps, self.map_shape(layer)[-1]], 1.0 / outcomes)
            for layer, outcomes in enumerate(self.num_outcomes)
        ]

    def elements(self, layer, masks):
        """Every dictionary element of a layer in the image plane: what one unit in the middle of its map adds.

        Args:
            layer: from 0, the lowest.
            masks: of every pooled layer, [1, H, W, K].

        Returns:
            [K, H, W, C].

        Pu 2017, figures 3.3 and 3.6.
        """
        height, width = self.levels[layer].maps
        middle = tf.one_hot((height // 2) * width + width // 2, height * width)
        units = tf.eye(self.filters[layer].filters.shape[-1])
        maps = tf.reshape(middle[:, None] * units[:, None, :], [-1, height, width, units.shape[0]])
        for below in range(layer, 0, -1):
            mask = tf.repeat(masks[below - 1], units.shape[0], axis=0)
            maps = unpooling.unpool(self.down(maps, below), mask, self.levels[below - 1].block)
        return self.down(maps, 0)

    def _blocks(self):
        return [level.block for level in self.levels[:-1]]

    def reach(self, layer):
        """Which pixels a block of a pooled layer can change through the decoder.

        Returns:
            (rows [h, H], columns [w, W]) of 0 and 1: block (i, j) reaches pixel (y, x) by rows[i, y] · columns[j, x].
        """
        return reach(self.levels[: layer + 1])

    def overlap(self):
        """⟨D⁽ᵏ⁾ at cell a, D⁽ᵏ⁾ at cell b⟩ of the lowest layer, for cells of one block: [K, P, P]; a blank one is 0."""
        block, dictionary = self.levels[0].block, tf.convert_to_tensor(self.dictionaries[0].dictionary)
        placed = [
            tf.pad(dictionary, [(i, block - 1 - i), (j, block - 1 - j), (0, 0), (0, 0)])
            for i in range(block)
            for j in range(block)
        ]
        blank = [tf.zeros_like(placed[0])] * (self.num_outcomes[0] - block**2)
        placed = tf.stack(placed + blank)
        return tf.einsum("ayxck,byxck->kab", placed, placed)


class Dictionaries(keras.layers.Layer):
    """The dictionaries of a `Deconvnet` alone, under its names: a model without a recognition model.

    A new one draws its elements from their prior, N(0, I).

    Args:
        image_shape: (H, W, C).
        config: `Config`.
    """

    def __init__(self, image_shape, config, **kwargs):
        super().__init__(**kwargs)
        ranges.check(config, "model.network")
        self.levels = levels(image_shape[:2], config)
        channels = (image_shape[2], *config.elements)
        each = zip(channels, config.elements, config.sizes)
        self.dictionaries = [
            DictionaryConvolution(
                *sizes, initializer=keras.initializers.RandomNormal(stddev=1.0), name=f"dictionary{i}"
            )
            for i, sizes in enumerate(each, start=1)
        ]
        self.usual = [
            self.add_weight(
                shape=[count, block**2 + config.zero_blocks],
                initializer=keras.initializers.Constant(1.0 / (block**2 + config.zero_blocks)), name=f"usual{i}",
            )
            for i, (count, block) in enumerate(zip(config.elements, config.pooling), 1)
        ]  # fmt: skip
        self.trainable = False
        self.built = True


def reach(levels):
    """(rows [h, H], columns [w, W]): as of `Deconvnet.reach`, of the last of these levels."""
    return tuple(_reach(levels, axis) for axis in (0, 1))


def _reach(levels, axis):
    """[blocks of the last level, pixels] along one axis, 0 or 1."""
    reached = np.eye(levels[0].size[axis], dtype=np.float32)
    for level in levels:
        num_blocks, span = level.maps[axis] // level.block, level.size[axis]
        # The block's cells, and from the last of them the rest of a dictionary element.
        element = span + sum(level.padding[axis]) - level.maps[axis] + 1
        extent = level.block + element - 1
        first = np.arange(num_blocks) * level.block - level.padding[axis][0]
        cells = np.arange(span)
        inside = (cells >= first[:, None]) & (cells < first[:, None] + extent)
        reached = (inside.astype(np.float32) @ reached > 0).astype(np.float32)
    return reached
