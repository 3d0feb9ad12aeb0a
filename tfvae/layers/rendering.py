"""One layer of a deep rendering mixture: what it infers bottom-up, and what it renders of it top-down.

Bottom-up it is a convolution, batch normalisation, a ReLU and perhaps a max-pooling, and it keeps what these decided:
which units were on (the switches a) and where each block's maximum was (the positions t). Both are one *mask*, 1 at a
unit that is on and is its block's maximum. Top-down the same filters, transposed, render a template through the mask.
"""

import keras
import tensorflow as tf

from tfvae.layers import few_channels, unpooling
from tfvae.layers.fused_batch_norm import FusedBatchNormalization

# How far a convolution reaches over the edge, by Theano's names: sides grow by k − 1, stay, or shrink by k − 1.
PADDINGS = ("full", "half", "valid")
TIES = ("shared", "all")


class RenderingLayer(keras.layers.Layer):
    """Λ_g of one layer, g = (a, t), and the inference of g.

    Attributes:
        in_shape, conv_shape, out_shape: (H, W, C) of what it reads, of its convolution and of what it hands on.
        frequencies: [*conv_shape], how often a unit's mask was 1, of which g is drawn: π_g.

    Args:
        in_shape: (H, W, C).
        filters: channels of the convolution.
        kernel_size: side of its filters.
        padding: one of `PADDINGS`; top-down "full" and "valid" change places.
        block: side of the max-pooling's blocks, 1 for none. A side that it does not divide is filled up with units
            that are off.
        ties: of several equal maxima of a block: `shared`, each counts by its share, so that the top-down pass is the
            exact transpose of the bottom-up one; `all`, each counts in full (the authors' code).
        momentum: of the batch normalisation's running averages.

    Nguyen et al. 2016, eqs. (11) to (14) and table 6.
    """

    def __init__(self, in_shape, filters, kernel_size, padding, block=1, ties="shared", momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        self.padding, self.block, self.ties = padding, block, ties
        self.in_shape = tuple(in_shape)
        sides = convolved(in_shape[:2], kernel_size, padding)
        self.conv_shape = (*sides, filters)
        self.out_shape = (*(-(-side // block) for side in sides), filters)
        self.kernel = self.add_weight(
            shape=[kernel_size, kernel_size, in_shape[-1], filters], initializer="he_normal", name="kernel"
        )
        self.norm = FusedBatchNormalization(momentum=momentum, name=f"{self.name}_norm")
        self.norm.build([None, *self.conv_shape])
        self.frequencies = self.add_weight(
            shape=self.conv_shape,
            initializer=keras.initializers.Constant(0.5 / block**2),
            trainable=False,
            aggregation="mean",
            name="frequencies",
        )
        self.built = True

    def infer(self, maps, training=False):
        """What the layer sees, and by which g: [B, *in_shape] -> ([B, *out_shape], mask [B, *conv_shape])."""
        on = tf.nn.relu(self.norm(self.convolve(maps), training=training))
        if self.block == 1:
            return on, tf.cast(on > 0.0, on.dtype)
        filled = self._filled(on)
        pooled = tf.nn.max_pool2d(filled, self.block, self.block, "VALID")
        return pooled, self._cropped(unpooling.maximum_mask(filled, pooled, self.block, shared=self.ties == "shared"))

    def render(self, template, mask):
        """Λ_g z, the template one layer finer: [B, *out_shape], [B, *conv_shape] -> [B, *in_shape]."""
        if self.block > 1:
            template = self._cropped(unpooling.repeat(template, self.block))
        return self.convolve_transposed(template * mask)

    def convolve(self, maps):
        """Γᵀ, the filters alone: [B, *in_shape] -> [B, *conv_shape]."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), maps.dtype)
        if self.padding == "full" and self.in_shape[-1] <= few_channels.MOST:
            return few_channels.full(maps, kernel)
        if self.padding == "full":
            # The transpose of a "valid" convolution is a "full" one, and faster than one of padded maps.
            return _transposed(maps, tf.transpose(kernel, [0, 1, 3, 2]), self.conv_shape, "VALID")
        return tf.nn.conv2d(maps, kernel, 1, "SAME" if self.padding == "half" else "VALID")

    def convolve_transposed(self, maps):
        """Γ, the transpose of `convolve`: [B, *conv_shape] -> [B, *in_shape]."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), maps.dtype)
        if self.padding == "full" and self.in_shape[-1] <= few_channels.MOST:
            return few_channels.full_transposed(maps, kernel)
        if self.padding == "full":
            return tf.nn.conv2d(maps, tf.transpose(kernel, [0, 1, 3, 2]), 1, "VALID")
        return _transposed(maps, kernel, self.in_shape, "SAME" if self.padding == "half" else "VALID")

    def record(self, mask, weights=None, rate=0.01):
        """Moves `frequencies` towards those of a minibatch, the M-step of π_g by a running average.

        Args:
            mask: [B, *conv_shape].
            weights: [B, C], how much a row says of a channel; None for all alike.
            rate: of a minibatch, for a channel whose weights sum to 1 or more.
        """
        mask, total = tf.cast(mask, tf.float32), tf.constant(1.0)
        if weights is None:
            seen = tf.reduce_mean(mask, axis=0)
        else:
            total = tf.reduce_sum(weights, axis=0)
            seen = tf.einsum("bhwc,bc->hwc", mask, weights) / tf.maximum(total, 1e-6)
        self.frequencies.assign_add(rate * tf.minimum(total, 1.0) * (seen - self.frequencies))

    def draw(self, num, seed):
        """Masks of the prior: each block has one unit on, or none, by `frequencies`: [num, *conv_shape]."""
        probs = unpooling.blocks(self._filled(tf.convert_to_tensor(self.frequencies)[None]), self.block)
        off = tf.maximum(1.0 - tf.reduce_sum(probs, axis=-1, keepdims=True), 0.0)
        logits = tf.math.log(tf.concat([probs, off], axis=-1) + 1e-12)
        position = unpooling.draw_position(tf.repeat(logits, num, axis=0), seed)
        return self._cropped(unpooling.mask_of(position, self.block))

    def _filled(self, maps):
        """Zeros below and to the right, up to whole blocks."""
        missing = [have * self.block - side for have, side in zip(self.out_shape[:2], self.conv_shape[:2])]
        return tf.pad(maps, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)]) if any(missing) else maps

    def _cropped(self, maps):
        height, width, _ = self.conv_shape
        return maps[:, :height, :width] if tuple(maps.shape[1:3]) != (height, width) else maps


def convolved(sides, kernel_size, padding):
    """The sides of maps after a convolution."""
    grown = {"full": kernel_size - 1, "half": 0, "valid": 1 - kernel_size}[padding]
    return tuple(side + grown for side in sides)


def _transposed(maps, kernel, shape, padding):
    return tf.nn.conv2d_transpose(maps, kernel, [tf.shape(maps)[0], *shape], 1, padding)
