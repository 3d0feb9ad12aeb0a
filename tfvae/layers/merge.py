"""The first layer of a network with several parents."""

import keras
import tensorflow as tf


class LinearMerge(keras.layers.Layer):
    """Σ_i W_i parent_i + b, the parents broadcast against each other.

    A product of an image with its weights is thus formed once an image, and only its sum with the class rows is formed
    once a class: [B, 1, D] and [K, K] give [B, K, units] without repeating an image K times.

    Args:
        widths: parent name -> width of its last axis, in the order of the call; 0 for a parent that holds nothing.
        units: width of the output.
    """

    def __init__(self, widths, units, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.widths = dict(widths)
        self.units = units
        self.maps = [self._map(parent, width, kernel_initializer) for parent, width in self.widths.items()]
        self.bias = self.add_weight(shape=[units], initializer="zeros", name="bias")
        self.built = True

    def call(self, *parents):
        if len(parents) != len(self.maps):
            raise ValueError(f"{self.name} has the parents {list(self.widths)}, got {len(parents)} tensors.")
        merged = self.bias
        for layer, parent in zip(self.maps, parents):
            # An empty parent adds its leading axes only. (oneDNN aborts the process on products of width 0.)
            merged = merged + (layer(parent) if layer else tf.reduce_sum(parent, axis=-1, keepdims=True))
        return merged

    def _map(self, parent, width, kernel_initializer):
        if not width:
            return None
        name = f"{self.name}_from_{parent}"
        layer = keras.layers.Dense(self.units, use_bias=False, kernel_initializer=kernel_initializer, name=name)
        layer.build([None, width])
        return layer
