"""Stein variational gradient descent on the codes of every data point."""

import functools

import tensorflow as tf

from tfvae.probability import svgd


def directions(log_joint, z, kernel, bandwidth, log_q=None, compiled=False):
    """φ(z) of the particles of every data point.

    Args:
        log_joint: z [S, B, Z] -> log p(x, z) [S, B], nats.
        z: [S, B, Z], S particles of each of B data points.
        kernel, bandwidth: as in `tfvae.probability.svgd.direction`.
        log_q: [S, B], log q(z | x) of the particles for the importance-weighted direction; None for equal weights.
        compiled: whether XLA compiles kernel and direction (measured by `tools/benchmarks/svgd.py`).

    Returns:
        (φ [S, B, Z], log p(x, z) [S, B]), both without gradient.

    Pu 2017, eq. (4.12), and eqs. (4.42) to (4.44) with weights.
    """
    z = tf.stop_gradient(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = log_joint(z)
    scores = tape.gradient(log_p, z)
    log_weights = None if log_q is None else tf.transpose(log_p - log_q)
    by_point = [tf.transpose(tensor, [1, 0, 2]) for tensor in (z, scores)]
    direction = functools.partial(svgd.direction, kernel=kernel, bandwidth=bandwidth, log_weights=log_weights)
    moved = (tf.function(direction, jit_compile=True) if compiled else direction)(*by_point)
    return tf.stop_gradient(tf.transpose(moved, [1, 0, 2])), tf.stop_gradient(log_p)
