"""Families of q(z | x) by name; that of inverse autoregressive flows has weights of its own."""

import keras
import numpy as np
import tensorflow as tf

from tfvae.probability import families, flows

POSTERIORS = ("gaussian", "planar", "iaf")
# Units of an autoregressive network, in multiples of the code's.
_HIDDEN_FACTOR = 4


def posterior(kind, name, latent_dim, flow_length):
    """The family of q(z | x) that an encoder's parameters make.

    Args:
        kind: one of `POSTERIORS`: `gaussian`, diagonal; `planar`, `flow_length` planar layers with parameters of every
            image; `iaf`, `flow_length` inverse autoregressive steps with weights that images share.
        name: of the layers.
        latent_dim: Z.
        flow_length: layers or steps.
    """
    if kind == "planar":
        return flows.planar(flow_length)
    if kind == "iaf":
        return InverseAutoregressive(latent_dim, flow_length, name=f"{name}_iaf")
    return families.GAUSSIAN


class InverseAutoregressive(keras.layers.Layer):
    """A `tfvae.probability.families.Family` with weights: loc, log variance and a context that every step reads.

    Args:
        dim: Z.
        num_steps: of the flow.

    Kingma et al. 2016, with one hidden layer a step; a scale stays within e^±1.
    """

    def __init__(self, dim, num_steps, **kwargs):
        super().__init__(**kwargs)
        if num_steps < 1 or dim < 2:
            raise ValueError(f"An autoregressive flow needs a step and two dimensions, got {num_steps} and {dim}.")
        self.dim = dim
        self.steps = [
            MaskedNetwork(dim, _HIDDEN_FACTOR * dim, name=f"{self.name}_step{k}") for k in range(num_steps)
        ]  # fmt: skip
        self.built = True

    def num_params(self, dim):
        return 2 * dim + _HIDDEN_FACTOR * dim

    def distribution(self, params):
        params = tf.cast(params, tf.float32)
        loc, log_variance, context = tf.split(params, [self.dim, self.dim, _HIDDEN_FACTOR * self.dim], axis=-1)
        networks = [lambda z, step=step: step(z, context) for step in self.steps]
        return flows.Flow(families.DiagGaussian(loc, log_variance), flows.Autoregressive(networks, self.dim))


class MaskedNetwork(keras.layers.Layer):
    """Shift and log scale of z_i from z_1 ... z_{i−1} and a context alone (Germain et al. 2015).

    Args:
        dim: Z.
        units: of the hidden layer.
    """

    def __init__(self, dim, units, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        order = np.arange(units) % (dim - 1)  # Of the last dimension that a hidden unit reads.
        inwards = (np.arange(dim)[:, None] <= order).astype(np.float32)
        outwards = (order[:, None] < np.arange(dim)).astype(np.float32)
        self._masks = inwards, np.concatenate([outwards, outwards], axis=1)
        small = keras.initializers.RandomNormal(stddev=1e-3)
        self.inwards = self.add_weight(shape=[dim, units], initializer="glorot_uniform", name="inwards")
        self.bias = self.add_weight(shape=[units], initializer="zeros", name="bias")
        self.outwards = self.add_weight(shape=[units, 2 * dim], initializer=small, name="outwards")
        self.shifts = self.add_weight(shape=[2 * dim], initializer="zeros", name="shifts")
        self.built = True

    def call(self, z, context):
        weights = tf.convert_to_tensor(self.inwards), tf.convert_to_tensor(self.outwards)
        inwards, outwards = (mask * weight for mask, weight in zip(self._masks, weights))
        hidden = tf.nn.relu(tf.linalg.matmul(z, inwards) + self.bias + context)
        shift, log_scale = tf.split(tf.linalg.matmul(hidden, outwards) + self.shifts, 2, axis=-1)
        return shift, tf.tanh(log_scale)
