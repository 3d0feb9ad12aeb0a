"""Convolutions that see only what comes before: rows from the top, pixels from the left, channels in their order.

van den Oord et al. 2016, "Pixel recurrent neural networks", section 3.4.
"""

import keras
import numpy as np
from keras import ops

KINDS = ("A", "B")


def mask(kernel, channels_in, channels_out, kind, num_groups=1):
    """1 where a kernel may look: [kernel, kernel, channels_in, channels_out].

    Args:
        kernel: its side, odd.
        channels_in, channels_out: maps; each belongs to a channel of the image, its group.
        kind: of the own pixel, `A` sees the channels before its own, `B` its own too.
        num_groups: channels of the image.
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {KINDS}, got {kind!r}.")
    if kernel % 2 == 0:
        raise ValueError(f"A masked kernel has a centre, so an odd side, got {kernel}.")
    centre, seen = kernel // 2, np.zeros([kernel, kernel, channels_in, channels_out], np.float32)
    seen[:centre] = 1.0
    seen[centre, :centre] = 1.0
    before, own = group(channels_in, num_groups)[:, None], group(channels_out, num_groups)[None]
    seen[centre, centre] = before < own if kind == "A" else before <= own
    return seen


def group(channels, num_groups):
    """int [channels]: the channel of the image that each map belongs to, in equal blocks."""
    return np.arange(channels) * num_groups // channels


class MaskedConv2D(keras.layers.Conv2D):
    """A convolution of stride 1 whose kernel is masked; image and answer have the same sides.

    Args:
        filters: maps, `num_groups` of them at least.
        kernel_size: its side, odd.
        kind: `A` for the layer that sees the image, `B` above it.
        num_groups: channels of the image.
    """

    def __init__(self, filters, kernel_size, kind, num_groups=1, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)
        self.kind, self.num_groups = kind, num_groups

    def build(self, input_shape):
        super().build(input_shape)
        self.mask = mask(self.kernel_size[0], input_shape[-1], self.filters, self.kind, self.num_groups)

    def masked_kernel(self):
        """The kernel, 0 where it may not look."""
        return ops.convert_to_tensor(self.kernel) * self.mask

    def call(self, x):
        kernel = ops.cast(self.masked_kernel(), self.compute_dtype)
        y = ops.conv(x, kernel, strides=1, padding="same")
        return y + ops.cast(self.bias, self.compute_dtype) if self.use_bias else y
