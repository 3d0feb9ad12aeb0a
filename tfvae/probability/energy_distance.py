"""How far two sets of draws are from each other without a kernel or its bandwidth  (Székely & Rizzo 2013)."""

import tensorflow as tf


def energy_distance_by_row(x, y):
    """2 E|x − y| − E|x − x'| − E|y − y'| by the rows of two sets: its mean is unbiased, and 0 for equal laws.

    Args:
        x, y: [N, ...], as many of both, at least two.

    Returns:
        [N].
    """
    x, y = (tf.reshape(rows, [tf.shape(rows)[0], -1]) for rows in (x, y))
    others = tf.cast(tf.maximum(tf.shape(x)[0] - 1, 1), tf.float32)
    between = tf.reduce_mean(_distances(x, y), axis=1)
    within = sum(tf.reduce_sum(_distances(rows, rows), axis=1) for rows in (x, y)) / others
    return 2.0 * between - within


def _distances(x, y):
    """[N, M]; of a row from itself exactly 0."""
    x_squares, y_squares = (tf.reduce_sum(rows**2, axis=1) for rows in (x, y))
    squares = x_squares[:, None] + y_squares - 2.0 * tf.matmul(x, y, transpose_b=True)
    distances = tf.sqrt(tf.maximum(squares, 0.0))
    return distances if x is not y else tf.linalg.set_diag(distances, tf.zeros_like(x_squares))
