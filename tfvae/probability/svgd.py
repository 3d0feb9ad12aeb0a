"""Stein variational gradient descent: the direction in which particles come nearest to a density.

φ(x_i) = Σ_j w_j [ k(x_j, x_i) ∇ log p(x_j) + ∇_{x_j} k(x_j, x_i) ],  with w_j = 1/S, or importance weights.

As printed the sum has j = i in it. Particles that persist live with that. Where particles are drawn anew for every
step, as by an encoder, the sum estimates the expectation over q of eq. (4.10), and the term j = i is a pull
∇ log p(x_i) / S towards the mode that no repulsion answers: for N(0, I) in Z dimensions and the median as bandwidth an
encoder that learns from it keeps a variance of about 1 / (1 + e Z / S), and units much narrower than the others none at
all. Left out, the estimate is unbiased.

Liu & Wang 2016; Pu 2017, eqs. (4.10) to (4.12), and (4.42), (4.43) with weights.
"""

import numpy as np
import tensorflow as tf

from tfvae.probability import kernels

# Which particles' terms a particle's own direction is the sum of.
OWN = ("in", "out", "pair_out")


def direction(particles, scores, kernel=kernels.RBF, bandwidth="median", log_weights=None, own="in"):
    """The direction of steepest descent in KL(q ‖ p) among functions of unit norm.

    Args:
        particles: [..., S, Z]; leading axes are points of their own.
        scores: [..., S, Z], ∇ log p at the particles.
        kernel: `kernels.Kernel`.
        bandwidth: a rule of `kernels.bandwidth`.
        log_weights: [..., S], log p − log q of the particles up to a constant, for the direction that is weighted by
            their normalised weights; None for equal ones.
        own: `in`, the sum as printed; `out`, without the term of the particle itself; or `pair_out`, also without that
            of its mirror image, for antithetic draws, of which number s and number s + S/2 are a pair. The weights of
            the others then sum to one.

    Returns:
        [..., S, Z]. Particles that coincide repel each other by nothing, and all others as they should: no value is
        ever undefined.

    Raises:
        ValueError: for an unknown `own`, or if no other particle is left.
    """
    distances = kernels.squared_distances(particles)
    h = kernels.bandwidth(distances, bandwidth)
    value, slope = kernel.value(distances / h), kernel.slope(distances / h)
    weights = _weights(particles.shape[-2], log_weights, own)  # Of column j, whose score and repulsion it weighs.
    value, slope = value * weights, slope * weights
    # Σ_j ∇_{x_j} k(x_j, x_i) = (2 / h) Σ_j slope_ij (x_i − x_j).
    repelled = tf.reduce_sum(slope, axis=-1, keepdims=True) * particles - tf.linalg.matmul(slope, particles)
    return tf.linalg.matmul(value, scores) + 2.0 / h * repelled


def _weights(num, log_weights, own):
    """w_j for every particle i: [S, S], or [..., S or 1, S] with importance weights; rows sum to one."""
    left_out = _left_out(num, own)
    if log_weights is None:
        return tf.constant((1.0 - left_out) / (num - left_out.sum(axis=1, keepdims=True)), tf.float32)
    if own == "in":
        return tf.nn.softmax(log_weights)[..., None, :]
    return tf.nn.softmax(log_weights[..., None, :] + tf.constant(np.where(left_out, -np.inf, 0.0), tf.float32))


def _left_out(num, own):
    """1 where particle i's direction has no term of particle j: NumPy [S, S]."""
    if own not in OWN:
        raise ValueError(f"`own` must be one of {OWN}, got {own!r}.")
    if own == "pair_out" and num % 2:
        raise ValueError(f"Antithetic particles come in pairs, got {num} of them: take an even number.")
    least = {"in": 1, "out": 2, "pair_out": 4}[own]
    if num < least:
        raise ValueError(f"With own={own!r} a direction needs at least {least} particles, got {num}.")
    itself = np.eye(num)
    return {"in": 0.0 * itself, "out": itself, "pair_out": itself + np.roll(itself, num // 2, axis=1)}[own]


def kernelised_stein_discrepancy(particles, scores, kernel=kernels.RBF, bandwidth="median"):
    """The squared discrepancy of particles from the density with these scores, by the unbiased U-statistic: [...].

    The mean over i ≠ j of  s_i·s_j k + s_i·∇_y k + s_j·∇_x k + tr ∇_x ∇_y k;  about 0 for draws of the density itself.
    Liu, Lee & Jordan 2016.

    Args:
        particles, scores: [..., S, Z], S ≥ 2.
        kernel, bandwidth: as in `direction`; the second derivative is that of the RBF or IMQ.

    Raises:
        ValueError: if there are fewer than two particles.
    """
    num, dim = particles.shape[-2], particles.shape[-1]
    if num < 2:
        raise ValueError(f"A discrepancy needs two particles at least, got {num}.")
    distances = kernels.squared_distances(particles)
    h = kernels.bandwidth(distances, bandwidth)
    u = distances / h
    with tf.GradientTape() as tape:
        tape.watch(u)
        slope = kernel.slope(u)
    curvature = -tape.gradient(slope, u)  # κ''
    products = tf.linalg.matmul(scores, scores, transpose_b=True)
    # s_i·∇_y k + s_j·∇_x k = (2 / h) slope (s_i − s_j)·(x_i − x_j)
    own = tf.reduce_sum(scores * particles, axis=-1)
    cross = tf.linalg.matmul(scores, particles, transpose_b=True)
    differences = own[..., :, None] + own[..., None, :] - cross - tf.linalg.matrix_transpose(cross)
    # tr ∇_x ∇_y κ(u) = (2 / h) (Z slope − 2 u κ'')
    trace = 2.0 / h * (dim * slope - 2.0 * u * curvature)
    pairs = products * kernel.value(u) + 2.0 / h * slope * differences + trace
    off_diagonal = tf.linalg.set_diag(pairs, tf.zeros(tf.shape(pairs)[:-1]))
    return tf.reduce_sum(off_diagonal, axis=[-2, -1]) / (num * (num - 1))
