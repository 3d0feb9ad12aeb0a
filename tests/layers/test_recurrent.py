"""Recurrent cells against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers import recurrent


@pytest.fixture
def sequence(rng):
    return tf.constant(rng.normal(size=[4, 6, 3]), tf.float32), tf.constant(rng.normal(size=[4, 5]) * 0.3, tf.float32)


def fill(variables, rng):
    for variable in variables:
        variable.assign(rng.normal(size=variable.shape) * 0.5)


def steps_of(cell, inputs, state):
    outputs = []
    for t in range(inputs.shape[1]):
        output, state = cell(inputs[:, t], state)
        outputs.append(output)
    return tf.stack(outputs, axis=1)


def test_the_gated_unit_is_that_of_keras_with_the_update_gate_turned_round(rng, sequence):
    """Keras: h ← a h + (1 − a) h̃, gates in the order (a, r, h̃), biases alike."""
    inputs, h = sequence
    ours, theirs = recurrent.Gru(3, 5), keras.layers.GRUCell(5, reset_after=False)
    theirs.build([None, 3])
    fill(ours.weights, rng)
    w_r, w_a, w_h = np.split(ours.w.numpy(), 3, axis=1)
    b_r, b_a, b_h = np.split(ours.b.numpy(), 3)
    u_r, u_a, u_h = (u.numpy() for u in ours.u)
    theirs.kernel.assign(np.concatenate([-w_a, w_r, w_h], axis=1))
    theirs.recurrent_kernel.assign(np.concatenate([-u_a, u_r, u_h], axis=1))
    theirs.bias.assign(np.concatenate([-b_a, b_r, b_h]))
    expected = steps_of(theirs, inputs, [h])
    np.testing.assert_allclose(ours.outputs(inputs, ours.start(h)), expected, rtol=1e-4, atol=1e-5)


def test_the_memory_cell_is_that_of_keras(rng, sequence):
    inputs, h = sequence
    ours, theirs = recurrent.Lstm(3, 5), keras.layers.LSTMCell(5)
    theirs.build([None, 3])
    fill(ours.weights, rng)
    i, f, o, c = range(4)
    order = [i, f, c, o]
    theirs.kernel.assign(np.concatenate([np.split(ours.w.numpy(), 4, axis=1)[gate] for gate in order], axis=1))
    theirs.recurrent_kernel.assign(np.concatenate([ours.u[gate].numpy() for gate in order], axis=1))
    theirs.bias.assign(np.concatenate([np.split(ours.b.numpy(), 4)[gate] for gate in order]))
    state = ours.start(tf.tanh(h))
    np.testing.assert_allclose(tf.tanh(state[1]), tf.tanh(h), rtol=1e-4)  # As if the output gate were open.
    expected = steps_of(theirs, inputs, list(state))
    np.testing.assert_allclose(ours.outputs(inputs, state), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", recurrent.CELLS)
def test_initialisation_is_the_source_s(kind):
    cell = recurrent.cell(kind, 30, 20)
    for u in cell.u:
        np.testing.assert_allclose(u.numpy() @ u.numpy().T, np.eye(20), atol=1e-5)
    assert 0.005 < np.abs(cell.w.numpy()).max() <= 0.01
    assert not cell.b.numpy().any()
