"""Kernels between particles: functions of their squared distance, so that value and gradient cost one matrix product.

Particles are [..., S, Z]; leading axes are points of their own, each with its own bandwidth.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

BANDWIDTHS = ("median", "median/log")

# A bandwidth of 0, where most particles coincide, would be a kernel of 0 and 1.
_LEAST_BANDWIDTH = 1e-12


class Kernel(NamedTuple):
    """k(x, y) = κ(d² / h) of the squared distance d².

    value: u -> κ(u).
    slope: u -> −κ'(u), so that ∇_x k(x, y) = (2 / h) slope(d² / h) (y − x).
    """

    value: Callable
    slope: Callable


def _exponential(u):
    return tf.exp(-u)


def _inverse_root(u):
    return tf.math.rsqrt(1.0 + u)


def _inverse_root_slope(u):
    return 0.5 * (1.0 + u) ** -1.5


RBF = Kernel(_exponential, _exponential)
# Inverse multi-quadric, (1 + u)^(−1/2): its tails keep far particles in touch (Gorham & Mackey 2017).
IMQ = Kernel(_inverse_root, _inverse_root_slope)

KERNELS = {"rbf": RBF, "imq": IMQ}


def squared_distances(particles):
    """‖x_i − x_j‖² of particles [..., S, Z]: [..., S, S], exactly 0 on the diagonal and never negative."""
    # About their mean: the difference of large equal numbers would lose the digits that matter.
    centred = particles - tf.reduce_mean(particles, axis=-2, keepdims=True)
    squares = tf.reduce_sum(centred**2, axis=-1)
    products = tf.linalg.matmul(centred, centred, transpose_b=True)
    distances = tf.maximum(squares[..., :, None] + squares[..., None, :] - 2.0 * products, 0.0)
    return tf.linalg.set_diag(distances, tf.zeros_like(squares))


def bandwidth(distances, rule):
    """h of a set of particles from their squared distances [..., S, S]: [..., 1, 1].

    Args:
        distances: of `squared_distances`.
        rule: `median` of the squared distances of different particles (the source); `median/log`, the same divided by
            log(S + 1), by which Σ_j k(x_i, x_j) is about 1 (Liu & Wang 2016); or a number, h itself.

    Raises:
        ValueError: if the rule is unknown.
    """
    if isinstance(rule, int | float) and not isinstance(rule, bool):
        if not rule > 0:
            raise ValueError(f"A bandwidth must be positive, got {rule}.")
        return tf.fill([1, 1], float(rule))
    if rule not in BANDWIDTHS:
        raise ValueError(f"The bandwidth is one of {BANDWIDTHS} or a positive number, got {rule!r}.")
    num = distances.shape[-1]
    if num == 1:
        return tf.ones_like(distances)
    h = median_of_pairs(distances)[..., None, None]
    h = h / float(np.log(num + 1.0)) if rule == "median/log" else h
    return tf.maximum(h, _LEAST_BANDWIDTH)


def median_of_pairs(distances):
    """The lower median over pairs of different particles: [..., S, S], not negative, 0 on the diagonal -> [...].

    Exact, without sorting, which is slow under XLA: floats that are not negative are in the order of their bits, and a
    bisection of the 31 bits counts how many are at most as large.
    """
    num = distances.shape[-1]
    pairs = num * (num - 1)
    # Each pair is there twice; with the diagonal, of zeros, the wanted one is number `rank` from below.
    rank = num + (pairs - 2) // 2 // 2 * 2 + 1
    bits = tf.bitcast(tf.cast(distances, tf.float32), tf.int32)

    def step(low, high):
        middle = low + (high - low) // 2
        below = tf.reduce_sum(tf.cast(bits <= middle[..., None, None], tf.int32), axis=[-2, -1])
        enough = below >= rank
        return tf.where(enough, low, middle + 1), tf.where(enough, middle, high)

    low = tf.zeros(tf.shape(bits)[:-2], tf.int32)
    high = tf.fill(tf.shape(bits)[:-2], np.int32(0x7F800000))  # Infinity.
    low = tf.ensure_shape(low, bits.shape[:-2])
    high = tf.ensure_shape(high, bits.shape[:-2])
    _, found = tf.while_loop(lambda low, high: tf.reduce_any(low < high), step, (low, high))
    return tf.stop_gradient(tf.bitcast(found, tf.float32))
