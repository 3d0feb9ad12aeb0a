"""Training images moved and mirrored at random, anew each time they are seen."""

import tensorflow as tf

from tfvae.probability import noise


def translated(x, most, seed):
    """Every image moved by −most..most pixels each way, black where nothing was: [B, H, W, C]."""
    batch, height, width, _ = tf.unstack(tf.shape(x))
    moved = tf.cast(noise.uniform([batch, 2], seed) * (2 * most + 1), tf.int32)  # 0..2·most.
    padded = tf.pad(x, [(0, 0), (most, most), (most, most), (0, 0)])
    rows = moved[:, :1] + tf.range(height)
    columns = moved[:, 1:] + tf.range(width)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def flipped(x, seed):
    """Every image mirrored left to right with probability ½: [B, H, W, C]."""
    mirror = noise.uniform([tf.shape(x)[0]], seed) < 0.5
    return tf.where(mirror[:, None, None, None], x[:, :, ::-1], x)
