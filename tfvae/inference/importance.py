"""The importance-weighted bound."""

import tensorflow as tf

from tfvae.inference.label import log_mean_probs, sum_over_classes


def importance_weighted(log_weights: tf.Tensor) -> tf.Tensor:
    """log (1/S) Σ_s w_s: [S, ...] -> [...], nats; tighter than the ELBO for S > 1 and equal to it for S = 1.

    Burda et al. 2016, eq. (8).
    """
    num_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)


def importance_over_classes(log_weights: tf.Tensor, log_q_y: tf.Tensor) -> tf.Tensor:
    """Σ_y q(y | x) [ log (1/S) Σ_s w_sy − log q(y | x) ]: every class has its own S-draw bound, q(y | x) its mean.

    Args:
        log_weights: [S, B, K].
        log_q_y: [S, B, K], or [1, B, K] where it does not depend on a draw.

    Returns:
        [B], in nats.
    """
    return sum_over_classes(importance_weighted(log_weights), log_mean_probs(log_q_y))
