"""Weight normalisation of any linear layer, with an initialisation that depends on data  (Salimans & Kingma 2016).

w = g v / ‖v‖,  one length g and one norm a unit;  first of all g = 1 / sd[t] and b = −mean[t] / sd[t]
with t = v x / ‖v‖ on a minibatch, so that every unit begins with mean 0 and variance 1.
"""

import contextlib
import functools

import keras
import tensorflow as tf
from keras import ops

from tfvae.layers.masked import MaskedConv2D

_LEAST_DEVIATION = 1e-2  # Of a unit that a minibatch hardly moves, such as one of pixels that are nearly always black.


class WeightNorm(keras.layers.Layer):
    """A layer whose kernel has its length and its direction as two variables.

    Args:
        layer: a `Dense`, `Conv2D`, `Conv2DTranspose` or `MaskedConv2D`; it is built here, without a bias of its own.
            A mask is applied before the norm is taken: what it removes has no share in the length.
        input_shape: of a batch, the first axis None.
        with_bias: whether b is there.
    """

    def __init__(self, layer, input_shape, with_bias=True, **kwargs):
        super().__init__(**kwargs)
        layer.use_bias = False
        layer.build(input_shape)
        layer.bias = None
        self.layer = layer
        self.units_axis = _units_axis(layer)
        units = layer.kernel.shape[self.units_axis]
        self.g = self.add_weight(shape=[units], initializer="ones", name="g")
        self.b = self.add_weight(shape=[units], initializer="zeros", name="b") if with_bias else None
        self.initialises = False
        self.built = True

    def call(self, x):
        if self.initialises:
            self._initialise(x)
        return self.with_kernel(x, self.kernel())

    def with_kernel(self, x, kernel):
        """The layer's answer with this kernel, and b."""
        y = apply_kernel(self.layer, x, ops.cast(kernel, self.compute_dtype))
        return y if self.b is None else y + ops.cast(self.b, self.compute_dtype)

    def kernel(self):
        """g v / ‖v‖, in the layer's own layout."""
        return self._along(self.g) * self._direction()

    def _direction(self):
        v = self.layer.masked_kernel() if isinstance(self.layer, MaskedConv2D) else self.layer.kernel
        v = ops.convert_to_tensor(v)
        axes = [axis for axis in range(len(v.shape)) if axis != self.units_axis % len(v.shape)]
        # A unit that a mask cuts off altogether has the length 0.
        return v * ops.rsqrt(ops.maximum(ops.sum(ops.square(v), axis=axes, keepdims=True), 1e-12))

    def _along(self, of_units):
        """A value a unit, shaped to be multiplied with the kernel."""
        shape = [1] * len(self.layer.kernel.shape)
        shape[self.units_axis] = -1
        return ops.reshape(of_units, shape)

    def _initialise(self, x):
        t = apply_kernel(self.layer, x, ops.cast(self._direction(), self.compute_dtype))
        mean, variance = tf.nn.moments(tf.cast(t, tf.float32), axes=list(range(t.shape.rank - 1)))
        deviation = tf.sqrt(variance)
        # A unit that does not vary keeps the length 1 and loses its mean.
        scale = tf.where(deviation > _LEAST_DEVIATION, 1.0 / tf.maximum(deviation, _LEAST_DEVIATION), 1.0)
        self.g.assign(scale)
        if self.b is not None:
            self.b.assign(-mean * scale)
        self.initialises = False


@contextlib.contextmanager
def initialising(model):
    """Within it the first, eager call of every normalised layer of a model sets its g and b.

    Args:
        model: a Keras layer or model.
    """
    found = [layer for layer in model._flatten_layers() if isinstance(layer, WeightNorm)]
    for layer in found:
        layer.initialises = True
    try:
        yield
    finally:
        for layer in found:
            layer.initialises = False


def _units_axis(layer):
    """Where in the kernel the units are."""
    return -2 if isinstance(layer, keras.layers.Conv2DTranspose) else -1


@functools.singledispatch
def apply_kernel(layer, x, kernel):
    """What a layer without a bias answers with another kernel."""
    raise TypeError(f"Weight normalisation knows no kernel of {type(layer).__name__}: name it in `apply_kernel`.")


@apply_kernel.register
def _(layer: keras.layers.Dense, x, kernel):
    return ops.matmul(x, kernel)


@apply_kernel.register
def _(layer: keras.layers.Conv2D, x, kernel):
    return ops.conv(x, kernel, strides=list(layer.strides), padding=layer.padding)


@apply_kernel.register
def _(layer: keras.layers.Conv2DTranspose, x, kernel):
    return ops.conv_transpose(x, kernel, strides=list(layer.strides), padding=layer.padding)
