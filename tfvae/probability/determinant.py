"""log |det A|, which XLA cannot take as TensorFlow does."""

import contextlib

import tensorflow as tf

_compiled = False


def log_abs_det(matrix):
    """log |det A| of square matrices [..., Z, Z]: [...], −∞ for a singular one.

    By LU decompositions, which are not to be had under XLA; within `compiled()` by QR, which costs twice as much.
    """
    if _compiled:
        _, upper = tf.linalg.qr(matrix)
        return tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(upper))), axis=-1)
    return tf.linalg.slogdet(matrix)[1]


@contextlib.contextmanager
def compiled():
    """A context: XLA can compile what is traced inside."""
    global _compiled
    before, _compiled = _compiled, True
    try:
        yield
    finally:
        _compiled = before
