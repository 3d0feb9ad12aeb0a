"""Contrast normalisation of single images, and whitening fitted on many."""

import numpy as np
import tensorflow as tf

_LEAST_DEVIATION = 0.1  # Of a gray level: an image without any contrast stays 0.
_WINDOW = 9
_WINDOW_SIGMA = 2.0


def global_normalised(x):
    """Every image with mean 0 and standard deviation 1 over all pixels and channels: [B, H, W, C].

    As in Maxout networks (Goodfellow et al. 2013), whose scale of 55 for the norm of a 32×32×3 image is a deviation
    of 0.99.
    """
    mean, variance = tf.nn.moments(x, axes=[1, 2, 3], keepdims=True)
    return (x - mean) / tf.maximum(tf.sqrt(variance), _LEAST_DEVIATION)


def local_normalised(x):
    """Every pixel less the weighted mean around it, divided by the weighted deviation around it: [B, H, W, C].

    Weights are a Gaussian of 9×9 over all channels; the divisor is at least the image's mean deviation, so that flat
    regions are not blown up. At the border the weights that lie outside are left out.

    Jarrett et al. 2009, section 3.1.
    """
    around = _weighted_mean(tf.reduce_mean(x, axis=-1, keepdims=True))
    v = x - around
    deviation = tf.sqrt(_weighted_mean(tf.reduce_mean(v**2, axis=-1, keepdims=True)))
    least = tf.reduce_mean(deviation, axis=[1, 2, 3], keepdims=True)
    return v / tf.maximum(tf.maximum(deviation, least), _LEAST_DEVIATION)


class Whitening:
    """ZCA: a rotation to principal components, division by their deviations, and the rotation back.

    Args:
        mean: [D] of the training images.
        matrix: [D, D], U (Λ + ε)^(−1/2) Uᵀ.
        inverse: [D, D].
    """

    def __init__(self, mean, matrix, inverse):
        self.mean, self.matrix, self.inverse = mean, matrix, inverse

    @classmethod
    def fit(cls, images, epsilon, observe, chunk=1000):
        """Fits on training images.

        Args:
            images: [N, H, W, C], as stored.
            epsilon: ε, added to the variances.
            observe: what is done to images before they are whitened.
            chunk: images at a time.
        """
        total, squares = 0.0, 0.0
        for start in range(0, len(images), chunk):
            rows = np.asarray(observe(images[start : start + chunk]))
            rows = rows.reshape(len(rows), -1).astype(np.float32)
            total = total + rows.sum(axis=0, dtype=np.float64)
            squares = squares + (rows.T @ rows).astype(np.float64)
        mean = total / len(images)
        variance, axes = np.linalg.eigh(squares / len(images) - np.outer(mean, mean))
        deviation = np.sqrt(np.maximum(variance, 0.0) + epsilon)
        matrices = ((axes * scale) @ axes.T for scale in (1.0 / deviation, deviation))
        return cls(mean.astype(np.float32), *(matrix.astype(np.float32) for matrix in matrices))

    def apply(self, x):
        """[B, H, W, C] -> [B, H, W, C]."""
        return tf.reshape(tf.linalg.matmul(tf.reshape(x, [-1, len(self.mean)]) - self.mean, self.matrix), tf.shape(x))

    def undo(self, x):
        """The inverse of `apply`."""
        return tf.reshape(tf.linalg.matmul(tf.reshape(x, [-1, len(self.mean)]), self.inverse) + self.mean, tf.shape(x))


def _weighted_mean(x):
    """[B, H, W, 1], the mean under a Gaussian window around every pixel, over the pixels that exist."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-0.5 * (offsets / _WINDOW_SIGMA) ** 2)
    window = tf.constant(np.outer(weights, weights)[:, :, None, None], tf.float32)
    return tf.nn.conv2d(x, window, 1, "SAME") / tf.nn.conv2d(tf.ones_like(x), window, 1, "SAME")
