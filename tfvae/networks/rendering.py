"""The bottom-up and the top-down pass of the deep rendering mixture model."""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.layers.rendering import PADDINGS, TIES, RenderingLayer, convolved
from tfvae.networks.conv import check_images
from tfvae.probability import noise

READOUTS = ("identity", "dense")


@dataclasses.dataclass
class Config:
    """A column of Nguyen et al. 2016, table 6; the default is ConvSmall, `conv_large()` the other.

    After these layers there is always one more, of 1×1 and a channel a class, whose mean over positions are the logits.

    Args:
        filters: channels of each convolution, from the image up.
        kernels: side of its filters.
        paddings: `full`, `half` or `valid`, of each.
        blocks: side of the max-pooling after it, 1 for none.
        readout: from the means of the classes' channels to logits: `identity` as table 6 has it word for word, or
            `dense`, a matrix and a bias that begin as the identity.
        ties: of equal maxima of a block, as `tfvae.layers.rendering.RenderingLayer` explains.
        momentum: of the batch normalisation's running averages.
    """

    filters: tuple[int, ...] = ranges.field((32, 64, 64, 128), ranges.WIDTHS, shortest=1)
    kernels: tuple[int, ...] = ranges.field((5, 3, 3, 3), ranges.SIDES, shortest=1)
    paddings: tuple[str, ...] = ranges.field(("full", "valid", "full", "valid"), ranges.Choices(PADDINGS), shortest=1)
    blocks: tuple[int, ...] = ranges.field((2, 1, 2, 1), ranges.SIDES, shortest=1)
    readout: str = ranges.field("identity", ranges.Choices(READOUTS))
    ties: str = ranges.field("shared", ranges.Choices(TIES))
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)

    def validate(self):
        """Checks the numbers of layers against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        lengths = {len(of) for of in (self.filters, self.kernels, self.paddings, self.blocks)}
        if len(lengths) > 1:
            raise ValueError(
                "`network.filters`, `kernels`, `paddings` and `blocks` have an entry a layer, got "
                f"{self.filters}, {self.kernels}, {self.paddings} and {self.blocks}."
            )

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if observations are not images, or are too small for it.
        """
        check_images(image_shape)
        sides = tuple(image_shape[:2])
        for layer, (kernel, padding, block) in enumerate(zip(self.kernels, self.paddings, self.blocks), start=1):
            found = convolved(sides, kernel, padding)
            if min(found) < 1:
                raise ValueError(
                    f"Images of {image_shape[0]}×{image_shape[1]} are too small: layer {layer} has {sides[0]}×"
                    f"{sides[1]} units for filters of {kernel}×{kernel}. Use fewer `network.blocks`, padding `half`, "
                    "or set `data.image_size` larger."
                )
            sides = tuple(-(-side // block) for side in found)


def conv_large(width=96, **kwargs):
    """ConvLarge of table 6: nine layers, of which this names the first eight.

    Args:
        width: channels of the first three; the others have twice as many.
        **kwargs: further fields of `Config`.
    """
    return Config(
        filters=(width,) * 3 + (2 * width,) * 5,
        kernels=(3, 3, 3, 3, 3, 3, 3, 1),
        paddings=("half", "full", "full", "valid", "full", "valid", "valid", "valid"),
        blocks=(1, 1, 2, 1, 1, 2, 1, 1),
        **kwargs,
    )


class Inference(NamedTuple):
    """What the bottom-up pass finds.

    logits:      [B, K], of q(c | x).
    masks:       of every layer from the image up, [B, H, W, C]: the nuisances g = (a, t).
    activations: of every layer from the image up, [B, h, w, C], after its pooling.
    """

    logits: tf.Tensor
    masks: list[tf.Tensor]
    activations: list[tf.Tensor]


class RenderingNetwork(keras.layers.Layer):
    """All layers of a deep rendering mixture model, in both directions.

    Attributes:
        layers: `RenderingLayer`s from the image up; the last has a channel a class.
        widest: numbers in the largest maps of one image.

    Args:
        image_shape: (H, W, C).
        num_classes: K.
        config: `Config`.
    """

    def __init__(self, image_shape, num_classes, config, **kwargs):
        super().__init__(**kwargs)
        ranges.check(config, "model.network")
        config.check(image_shape)
        self.layers, shape = [], image_shape
        each = [*zip(config.filters, config.kernels, config.paddings, config.blocks), (num_classes, 1, "valid", 1)]
        for number, sizes in enumerate(each, start=1):
            layer = RenderingLayer(shape, *sizes, config.ties, config.momentum, name=f"layer{number}")
            self.layers.append(layer)
            shape = layer.out_shape
        self.widest = max(int(np.prod(layer.conv_shape)) for layer in self.layers)
        self.readout = None
        if config.readout == "dense":
            self.readout = keras.layers.Dense(num_classes, kernel_initializer="identity", name="readout")
            self.readout.build([None, num_classes])
        self.built = True

    def infer(self, image, training=False):
        """The bottom-up pass, a convolutional network: [B, H, W, C] -> `Inference`."""
        maps, masks, activations = image, [], []
        for layer in self.layers:
            maps, mask = layer.infer(maps, training)
            masks.append(mask)
            activations.append(maps)
        logits = tf.reduce_mean(tf.cast(maps, tf.float32), axis=[1, 2])
        return Inference(self.readout(logits) if self.readout else logits, masks, activations)

    def render(self, y, masks):
        """The top-down pass: templates of classes, level by level down to the image.

        Args:
            y: [B, K], one-hot; what is rendered is linear in it.
            masks: of every layer from the image up.

        Returns:
            [z⁽ᴸ⁾, ..., z⁽¹⁾, z⁽⁰⁾]: the class's template, what each layer renders of it, at last the image.
            Above the mean pooling a template is the same everywhere: the nearest-neighbour upsampling of table 6.
        """
        top = self.layers[-1]
        template = tf.matmul(y, self.readout.kernel, transpose_b=True) if self.readout else y
        template = tf.cast(template, masks[-1].dtype)[:, None, None] * tf.ones([*top.out_shape[:2], 1], masks[-1].dtype)
        templates = [template]
        for layer, mask in zip(reversed(self.layers), reversed(masks)):
            template = layer.render(template, mask)
            templates.append(template)
        return templates

    def record(self, inference, q, rate):
        """Takes the nuisances of a minibatch into their frequencies.

        Of the topmost layer only the channel of the rendered class has a say, so a channel counts the images of its
        class; all other layers count all images.

        Args:
            inference: `Inference`.
            q: [B, K], q(c | x).
            rate: of the running average.
        """
        for layer, mask in zip(self.layers[:-1], inference.masks):
            layer.record(mask, rate=rate)
        self.layers[-1].record(inference.masks[-1], q, rate)

    def draw(self, num, seed):
        """Masks of every layer, from the image up, drawn by their frequencies."""
        return [layer.draw(num, noise.fold_in(seed, number)) for number, layer in enumerate(self.layers)]
