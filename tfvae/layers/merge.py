"""The first layer of a network with several parents."""

import keras


class LinearMerge(keras.layers.Layer):
    """Σ_i W_i parent_i + b, the parents broadcast against each other.

    A product of an image with its weights is thus formed once an image, and only its sum with the class rows is formed
    once a class: [B, 1, D] and [K, K] give [B, K, units] without repeating an image K times.

    Args:
        widths: parent name -> width of its last axis, in the order of the call.
        units: width of the output.
    """

    def __init__(self, widths, units, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.widths = dict(widths)
        self.units = units
        self.maps = [
            keras.layers.Dense(
                units, use_bias=False, kernel_initializer=kernel_initializer, name=f"{self.name}_from_{parent}"
            )
            for parent in self.widths
        ]
        for layer, width in zip(self.maps, self.widths.values()):
            layer.build([None, width])
        self.bias = self.add_weight(shape=[units], initializer="zeros", name="bias")
        self.built = True

    def call(self, *parents):
        if len(parents) != len(self.maps):
            raise ValueError(f"{self.name} has the parents {list(self.widths)}, got {len(parents)} tensors.")
        merged = self.bias
        for layer, parent in zip(self.maps, parents):
            merged = merged + layer(parent)
        return merged
