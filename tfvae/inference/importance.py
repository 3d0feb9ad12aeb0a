"""The importance-weighted bound."""

import tensorflow as tf


def importance_weighted(log_weights):
    """log (1/S) Σ_s w_s: [S, ...] -> [...], nats; tighter than the ELBO for S > 1 and equal to it for S = 1.

    Burda et al. 2016, eq. (8).
    """
    num_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(num_samples)
