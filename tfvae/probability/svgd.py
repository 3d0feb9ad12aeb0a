"""Stein variational gradient descent: the direction in which particles come nearest to a density.

φ(x_i) = Σ_j w_j [ k(x_j, x_i) ∇ log p(x_j) + ∇_{x_j} k(x_j, x_i) ],  with w_j = 1/S, or importance weights.

Liu & Wang 2016; Pu 2017, eqs. (4.10) to (4.12), and (4.42), (4.43) with weights.
"""

import tensorflow as tf

from tfvae.probability import kernels


def direction(particles, scores, kernel=kernels.RBF, bandwidth="median", log_weights=None):
    """The direction of steepest descent in KL(q ‖ p) among functions of unit norm.

    Args:
        particles: [..., S, Z]; leading axes are points of their own.
        scores: [..., S, Z], ∇ log p at the particles.
        kernel: `kernels.Kernel`.
        bandwidth: a rule of `kernels.bandwidth`.
        log_weights: [..., S], log p − log q of the particles up to a constant, for the direction that is weighted by
            their normalised weights; None for equal ones.

    Returns:
        [..., S, Z]. Particles that coincide repel each other by nothing, and all others as they should: no value is
        ever undefined.
    """
    distances = kernels.squared_distances(particles)
    h = kernels.bandwidth(distances, bandwidth)
    value, slope = kernel.value(distances / h), kernel.slope(distances / h)
    if log_weights is None:
        value, slope = (matrix / float(particles.shape[-2]) for matrix in (value, slope))
    else:
        weights = tf.nn.softmax(log_weights)[..., None, :]  # Of column j, whose score and repulsion it weighs.
        value, slope = value * weights, slope * weights
    # Σ_j ∇_{x_j} k(x_j, x_i) = (2 / h) Σ_j slope_ij (x_i − x_j).
    repelled = tf.reduce_sum(slope, axis=-1, keepdims=True) * particles - tf.linalg.matmul(slope, particles)
    return tf.linalg.matmul(value, scores) + 2.0 / h * repelled


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
