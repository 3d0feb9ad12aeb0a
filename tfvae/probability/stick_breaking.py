"""A truncated stick-breaking mixture of Gaussians, and k-means, by which its means begin.

    ν_j = v_j Π_{i<j} (1 − v_i),  v_j ~ Beta(1, a),  v_J = 1,    p(s) = Σ_j ν_j N(s; μ_j, I / α_j)

Pu 2017, section 3.3.4, eq. (3.33); Ishwaran & James 2001.
"""

import numpy as np
import tensorflow as tf

from tfvae.probability import noise
from tfvae.probability.families import Distribution

_LOG_2_PI = float(np.log(2.0 * np.pi))


def log_weights(logits):
    """log ν of sticks v = sigmoid(logits): [J − 1] -> [J]; the last cluster takes what is left."""
    log_left = tf.cumsum(tf.math.log_sigmoid(-logits))
    return tf.concat([tf.math.log_sigmoid(logits), [0.0]], 0) + tf.concat([[0.0], log_left], 0)


def log_prior_of_sticks(logits, concentration):
    """log density of logits whose sticks are Beta(1, a), the Jacobian counted: a scalar, nats.

    log Beta(v; 1, a) + log v (1 − v) = log a + log v + a log (1 − v), which has a mode for every a.
    """
    log_v, log_rest = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
    return tf.reduce_sum(tf.math.log(concentration) + log_v + concentration * log_rest)


def expected_log_prob(mean, variance, means, log_precisions):
    """E_q log N(s; μ_j, I / α_j) of every cluster for q = N(m, diag(v)): [B, Z] twice -> [B, J], nats.

        ½ (Z log α_j − Z log 2π − α_j (|m − μ_j|² + Σ v))

    Args:
        mean, variance: m and v; v of 0 for log N at a point.
        means: μ [J, Z].
        log_precisions: log α [J].
    """
    size = float(mean.shape[-1])
    distance = squared_distances(mean, means) + tf.reduce_sum(variance, axis=-1, keepdims=True)
    return 0.5 * (size * (log_precisions - _LOG_2_PI) - tf.exp(log_precisions) * distance)


def divergence(q_s: Distribution, log_nu, means, log_precisions):
    """A bound from above on KL(q(s) ‖ p(s)), with a q(c) of its own for every row: [B], nats.

        KL(q ‖ p) ≤ −log Σ_j ν_j exp(−KL(q ‖ N(μ_j, I / α_j)))

    which is E log q(s) q(c) / p(s, c) at its best q(c), `responsibilities`; exact where one cluster has all the weight,
    or all are alike.
    """
    size, variance = float(means.shape[-1]), q_s.variance()
    distance = squared_distances(q_s.mean(), means) + tf.reduce_sum(variance, axis=-1, keepdims=True)
    log_variance = tf.reduce_sum(tf.math.log(variance), axis=-1, keepdims=True)
    kl = 0.5 * (tf.exp(log_precisions) * distance - size - log_variance - size * log_precisions)
    return -tf.reduce_logsumexp(log_nu - kl, axis=-1)


def responsibilities(mean, variance, log_nu, means, log_precisions):
    """q(c | x) ∝ ν_j exp E_q log N(s; μ_j, I / α_j): [B, Z] twice -> [B, J]; for v of 0 that is p(c | s)."""
    return tf.nn.softmax(log_nu + expected_log_prob(mean, variance, means, log_precisions))


def log_prob(s, log_nu, means, log_precisions):
    """log p(s) of codes [N, Z]: [N], nats."""
    return tf.reduce_logsumexp(log_nu + expected_log_prob(s, tf.zeros_like(s), means, log_precisions), axis=-1)


def squared_distances(points, centres):
    """|x − c|² of every pair: [N, Z], [J, Z] -> [N, J], 0 at the least."""
    across = tf.linalg.matmul(points, centres, transpose_b=True)
    squares = tf.reduce_sum(points**2, axis=-1, keepdims=True) + tf.reduce_sum(centres**2, axis=-1)
    return tf.maximum(squares - 2.0 * across, 0.0)


def k_means(points, num, seed, iterations=20):
    """Centres of `num` groups of points [N, Z], of TensorFlow's operations alone: [num, Z].

    Begins as k-means++ (Arthur & Vassilvitskii 2007): every centre is a point, drawn by its squared distance from the
    centres before. A group that loses its points keeps its centre.
    """
    centres = _spread(points, num, seed)
    for _ in range(iterations):
        members = tf.one_hot(tf.argmin(squared_distances(points, centres), axis=-1), num)
        counts = tf.reduce_sum(members, axis=0)[:, None]
        moved = tf.math.divide_no_nan(tf.linalg.matmul(members, points, transpose_a=True), counts)
        centres = tf.where(counts > 0.0, moved, centres)
    return centres


def _spread(points, num, seed):
    """The first centres of k-means++."""
    draws = noise.uniform([num], seed)
    chosen = [_drawn(tf.ones_like(points[:, 0]), draws[0])]
    for draw in tf.unstack(draws)[1:]:
        nearest = tf.reduce_min(squared_distances(points, tf.gather(points, tf.stack(chosen))), axis=-1)
        chosen.append(_drawn(nearest, draw))
    return tf.gather(points, tf.stack(chosen))


def _drawn(weights, uniform):
    """The number of a row, drawn by weights [N], by a number in [0, 1)."""
    total = tf.cumsum(weights)
    return tf.minimum(tf.searchsorted(total, [uniform * total[-1]], side="right")[0], tf.shape(weights)[0] - 1)
