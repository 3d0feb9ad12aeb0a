"""Labels that were not observed are summed out exactly."""

import tensorflow as tf


def sum_over_classes(bound_xy: tf.Tensor, log_q_y: tf.Tensor) -> tf.Tensor:
    """Bound on log p(x) with the label summed out:  Σ_y q(y|x) [ L(x, y) − log q(y|x) ].

    Args:
        bound_xy: [..., K], a bound on log p(x, y) for every class, in nats.
        log_q_y: [..., K], log q(y | x), or log q(y | a, x) of the draw of a that `bound_xy` belongs to.

    Returns:
        [...], in nats.

    Maaløe et al. 2016, eqs. (13) and (19).
    """
    return tf.reduce_sum(tf.exp(log_q_y) * (bound_xy - log_q_y), axis=-1)


def log_mean_probs(log_q_y: tf.Tensor) -> tf.Tensor:
    """log (1/S) Σ_s q(y | a_s, x): [S, B, K] -> [B, K]; the mean stands inside the logarithm (eq. 14)."""
    num_samples = tf.cast(tf.shape(log_q_y)[0], log_q_y.dtype)
    return tf.reduce_logsumexp(log_q_y, axis=0) - tf.math.log(num_samples)
