"""Our GRU and LSTM beside keras.layers', with the same weights."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.layers import recurrent


def sequence(kind, xla, way, batch, length, inputs, units):
    """One call: h after every step, and the gradients of a weighted sum of them in the weights and the inputs."""
    ours, theirs = _both(kind, length, inputs, units, unroll=way == "keras_unrolled")
    x, weight = _normal([batch, length, inputs]), _normal([batch, length, units])
    variables = (ours if way == "ours" else theirs).trainable_variables
    start = tf.zeros([batch, units])

    @tf.function(jit_compile=xla)
    def call(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            h = ours.outputs(x, ours.start(start)) if way == "ours" else theirs(x)
            loss = tf.reduce_sum(h * weight)
        return tape.gradient(loss, [x, *(variable.value for variable in variables)])

    return worker.repeated(lambda: call(x))


def step(kind, xla, way, rows, inputs, units):
    """One call: a step of a decoder, from words to its next state."""
    ours, theirs = _both(kind, 1, inputs, units, unroll=False)
    x, h = _normal([rows, inputs]), tf.tanh(_normal([rows, units]))

    @tf.function(jit_compile=xla)
    def call(x, h):
        state = ours.start(h)
        if way == "ours":
            return ours.step(ours.project(x), state, ours.matrices())
        return theirs.cell(x, list(state))[1]

    return worker.repeated(lambda: call(x, h))


def agree(kind, batch, length, inputs, units):
    """The largest difference between the states of both."""
    ours, theirs = _both(kind, length, inputs, units, unroll=False)
    x = _normal([batch, length, inputs])
    return float(tf.reduce_max(tf.abs(ours.outputs(x, ours.start(tf.zeros([batch, units]))) - theirs(x))))


def _both(kind, length, inputs, units, unroll):
    """(ours, Keras') of equal weights."""
    ours = recurrent.cell(kind, inputs, units)
    rng = np.random.default_rng(0)
    for variable in ours.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / np.sqrt(units))
    options = {"return_sequences": True, "unroll": unroll}
    layer = (
        keras.layers.GRU(units, reset_after=False, **options) if kind == "gru" else keras.layers.LSTM(units, **options)
    )
    layer.build([None, length, inputs])
    w, b = np.split(np.asarray(ours.w), len(ours.u), axis=1), np.split(np.asarray(ours.b), len(ours.u))
    parts = [w, [np.asarray(u) for u in ours.u], b]
    if kind == "gru":  # Ours are r, a, h̃; Keras' z, r, h̃ with z = 1 − a = σ(−...).
        ordered = [[-a, r, candidate] for r, a, candidate in parts]
    else:  # i, f, o, c against i, f, c, o.
        ordered = [[i, f, candidate, o] for i, f, o, candidate in parts]
    layer.set_weights([np.concatenate(part, axis=-1) for part in ordered])
    return ours, layer


def _normal(shape):
    return tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    worker.serve({"sequence": sequence, "step": step}, {"agree": agree}, versions)
