"""Recurrent cells whose products with the inputs are made once for all time steps.

A cell has `project(inputs)`, everything of the step that does not wait for the step before, and `step(projected,
state)`. A sequence is one matrix product and a loop of small ones; a decoder calls `step` by itself.
"""

import keras
import tensorflow as tf

CELLS = ("gru", "lstm")

# Pu et al. 2016, appendix B.
_ORTHOGONAL = keras.initializers.Orthogonal
_NARROW = 0.01


def narrow_uniform():
    """Uniform in ±0.01, for every matrix that is not recurrent; made anew, because an initialiser keeps its seed."""
    return keras.initializers.RandomUniform(-_NARROW, _NARROW)


class Cell(keras.layers.Layer):
    """The parts that both cells share: U gates over M inputs and over H units.

    Args:
        inputs: M.
        units: H.
        gates: how many.
    """

    def __init__(self, inputs, units, gates, **kwargs):
        super().__init__(**kwargs, dtype="float32")
        self.units = units
        self.w = self.add_weight(shape=[inputs, gates * units], initializer=narrow_uniform(), name="w")
        self.b = self.add_weight(shape=[gates * units], initializer="zeros", name="b")
        # One orthogonal matrix a gate, as a cell of H units would have it.
        self.u = [
            self.add_weight(shape=[units, units], initializer=_ORTHOGONAL(), name=f"u{gate}") for gate in range(gates)
        ]
        self.built = True

    def project(self, inputs):
        """[..., M] -> [..., gates · H]."""
        return tf.linalg.matmul(inputs, tf.convert_to_tensor(self.w)) + self.b

    def recurrent(self, first, last):
        """The recurrent matrices of some gates, side by side: [H, (last − first) · H]."""
        return tf.concat([tf.convert_to_tensor(u) for u in self.u[first:last]], axis=1)

    def outputs(self, inputs, state):
        """h after every step of a sequence: inputs [B, T, M], state before it -> [B, T, H]."""
        projected, matrices, hidden = tf.unstack(self.project(inputs), axis=1), self.matrices(), []
        for at_step in projected:
            state = self.step(at_step, state, matrices)
            hidden.append(state[0])
        return tf.stack(hidden, axis=1) if hidden else inputs[:, :, : self.units]


class Gru(Cell):
    """r = σ(W_r w + U_r h),  a = σ(W_a w + U_a h),  h̃ = tanh(W_h w + U_h (r ⊙ h)),  h ← (1 − a) ⊙ h + a ⊙ h̃.

    Args:
        inputs: M.
        units: H.

    Pu 2017, eqs. (3.24) to (3.27); Cho et al. 2014.
    """

    def __init__(self, inputs, units, **kwargs):
        super().__init__(inputs, units, gates=3, **kwargs)

    def start(self, h):
        """The state that has this h."""
        return (h,)

    def matrices(self):
        """U_r beside U_a, and U_h."""
        return self.recurrent(0, 2), self.recurrent(2, 3)

    def step(self, projected, state, matrices):
        """One step: [B, 3H], (h [B, H],), `matrices()` -> (h,)."""
        (h,) = state
        of_gates, of_candidate = tf.split(projected, [2 * self.units, self.units], axis=-1)
        r, a = tf.split(tf.sigmoid(of_gates + tf.linalg.matmul(h, matrices[0])), 2, axis=-1)
        candidate = tf.tanh(of_candidate + tf.linalg.matmul(r * h, matrices[1]))
        return (h + a * (candidate - h),)


class Lstm(Cell):
    """i, f, o = σ(W w + U h),  c ← f ⊙ c + i ⊙ tanh(W_c w + U_c h),  h = o ⊙ tanh(c); it begins with f near 1/2.

    Args:
        inputs: M.
        units: H.

    Hochreiter & Schmidhuber 1997, with forget gates.
    """

    def __init__(self, inputs, units, **kwargs):
        super().__init__(inputs, units, gates=4, **kwargs)

    def start(self, h):
        """The state that has this h, as if its output gate were open: c = artanh h."""
        return h, tf.atanh(tf.clip_by_value(h, -1.0 + 1e-6, 1.0 - 1e-6))

    def matrices(self):
        """U of all gates."""
        return (self.recurrent(0, 4),)

    def step(self, projected, state, matrices):
        """One step: [B, 4H], (h, c) of [B, H], `matrices()` -> (h, c)."""
        h, c = state
        i, f, o, candidate = tf.split(projected + tf.linalg.matmul(h, matrices[0]), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(candidate)
        return tf.sigmoid(o) * tf.tanh(c), c


def cell(kind, inputs, units, **kwargs):
    """A cell by its name, one of `CELLS`."""
    return {"gru": Gru, "lstm": Lstm}[kind](inputs, units, **kwargs)
