"""The evidence lower bound."""

import tensorflow as tf

from tfvae.inference.label import sum_over_classes


def elbo(log_weights: tf.Tensor) -> tf.Tensor:
    """E_q[log p(x, z) − log q(z | x)] by the mean over draws: [S, ...] -> [...], nats.

    Kingma & Welling 2013; Maaløe et al. 2016, eqs. (1), (3), (12).
    """
    return tf.reduce_mean(log_weights, axis=0)


def elbo_over_classes(log_weights: tf.Tensor, log_q_y: tf.Tensor) -> tf.Tensor:
    """(1/S) Σ_s Σ_y q(y | a_s, x) [ log w_sy − log q(y | a_s, x) ]: every draw has its own sum over classes.

    Args:
        log_weights: [S, B, K].
        log_q_y: [S, B, K], or [1, B, K] where it does not depend on a draw.

    Returns:
        [B], in nats.

    Maaløe et al. 2016, eqs. (13) and (19).
    """
    return elbo(sum_over_classes(log_weights, log_q_y))
