"""The 2D potentials of Rezende & Mohamed 2015, table 1: densities p(z) ∝ exp(−U(z)) that no Gaussian fits.

Maaløe et al. 2016 use them in section 4.1 (their eq. 20 writes the sign the other way).
"""

import numpy as np
import tensorflow as tf


def _w1(z1):
    return tf.sin(0.5 * np.pi * z1)


def _w2(z1):
    return 3.0 * tf.exp(-0.5 * ((z1 - 1.0) / 0.6) ** 2)


def _w3(z1):
    return 3.0 * tf.sigmoid((z1 - 1.0) / 0.3)


def _log_two_bumps(first, second):
    """log(exp(−½ first²) + exp(−½ second²)), safe where both vanish."""
    return tf.reduce_logsumexp(tf.stack([-0.5 * first**2, -0.5 * second**2]), axis=0)


def u1(z1, z2):
    ring = 0.5 * ((tf.sqrt(z1**2 + z2**2 + 1e-12) - 2.0) / 0.4) ** 2
    return ring - _log_two_bumps((z1 - 2.0) / 0.6, (z1 + 2.0) / 0.6)


def u2(z1, z2):
    return 0.5 * ((z2 - _w1(z1)) / 0.4) ** 2


def u3(z1, z2):
    return -_log_two_bumps((z2 - _w1(z1)) / 0.35, (z2 - _w1(z1) + _w2(z1)) / 0.35)


def u4(z1, z2):
    return -_log_two_bumps((z2 - _w1(z1)) / 0.4, (z2 - _w1(z1) + _w3(z1)) / 0.35)


POTENTIALS = {"u1": u1, "u2": u2, "u3": u3, "u4": u4}


class Potential:
    """An unnormalised density on the square |z1|, |z2| ≤ `edge`, with the one method that a prior needs.

    U2, U3 and U4 do not fall off along z1, so a normaliser exists on a bounded square only; outside, the log density
    falls quadratically so that gradients lead back.
    """

    edge = 4.0

    def __init__(self, name):
        self._potential = POTENTIALS[name]

    def log_prob(self, z):
        """log p(z) + log Z for z [..., 2]: [...], nats."""
        beyond = tf.reduce_sum(tf.nn.relu(tf.abs(z) - self.edge) ** 2, axis=-1)
        return -self._potential(z[..., 0], z[..., 1]) - 20.0 * beyond

    def grid(self, num=400):
        """(points [num², 2], area of a cell) of the square, for quadrature and pictures."""
        axis = np.linspace(-self.edge - 1.0, self.edge + 1.0, num, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis, indexing="xy"), axis=-1).reshape(-1, 2)
        return points, float(axis[1] - axis[0]) ** 2

    def log_normaliser(self):
        """log Z by quadrature, nats: no bound on it can exceed this."""
        points, cell = self.grid()
        return float(tf.reduce_logsumexp(self.log_prob(points)) + np.log(cell))
