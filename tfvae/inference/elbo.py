"""The evidence lower bound."""

import tensorflow as tf


def elbo(log_weights):
    """E_q[log p(x, z) − log q(z | x)] by the mean over draws: [S, ...] -> [...], nats.

    Kingma & Welling 2013; Maaløe et al. 2016, eqs. (1), (3), (12).
    """
    return tf.reduce_mean(log_weights, axis=0)
