"""Distributions of images [H, W, C] whose values are independent given their parameters [..., H, W, C, P].

Values lie on 0, 1/255, ..., 1 (0 and 1 alone for `bernoulli`). Every family can be inverted: from a uniform number a
value follows, the smallest one whose cumulative probability exceeds it. So a draw is a function of uniform numbers, the
same whether the parameters of all pixels are known at once or one after the other.
"""

import abc
from typing import ClassVar

import tensorflow as tf

from tfvae.probability import noise
from tfvae.probability.families import DiscretisedLogistic

LEVELS = 256
_STEP = 1.0 / (LEVELS - 1)
_OF_IMAGE = (-3, -2, -1)


class Pixels(abc.ABC):
    """A distribution over images, from what a network puts out.

    Args:
        params: [..., H, W, C, P]; cast to float32.
    """

    num_params: ClassVar[int]

    def __init__(self, params):
        self.params = tf.cast(params, tf.float32)

    @abc.abstractmethod
    def log_probs(self, x):
        """Of every value by itself: [..., H, W, C] of images that broadcast to these axes, nats."""

    @abc.abstractmethod
    def mean(self):
        """[..., H, W, C]."""

    @abc.abstractmethod
    def inverted(self, uniforms):
        """The values that uniform numbers stand for: [..., H, W, C] -> the same."""

    def log_prob(self, x):
        """[...], nats."""
        return tf.reduce_sum(self.log_probs(x), axis=_OF_IMAGE)

    def sample(self, seed):
        """One image a distribution: [..., H, W, C]."""
        return self.inverted(noise.uniform(tf.shape(self.params)[:-1], seed))

    def picture(self, uniforms=None):
        """What stands for the distribution in a picture: its mean, which takes no noise."""
        del uniforms
        return self.mean()


class Bernoulli(Pixels):
    """Black and white, by the logits of white  (Shah, eq. 4.1)."""

    num_params = 1

    def log_probs(self, x):
        logits = self.params[..., 0]
        return x * logits - tf.math.softplus(logits)

    def mean(self):
        return tf.sigmoid(self.params[..., 0])

    def inverted(self, uniforms):
        # White is the larger value, so it is what large numbers stand for.
        return tf.cast(uniforms >= tf.sigmoid(-self.params[..., 0]), tf.float32)


class Categorical(Pixels):
    """One of 256 gray levels, each with a logit of its own  (Shah, eq. 4.2)."""

    num_params = LEVELS

    def log_probs(self, x):
        # A sum broadcasts more axes than `tf.broadcast_to` does.
        level = tf.cast(tf.round(x * (LEVELS - 1)), tf.int32) + tf.zeros(tf.shape(self.params)[:-1], tf.int32)
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(level, self.params)

    def mean(self):
        return tf.linalg.matvec(tf.exp(_log_softmax(self.params)), tf.range(LEVELS, dtype=tf.float32) * _STEP)

    def inverted(self, uniforms):
        return _level(tf.cumsum(tf.exp(_log_softmax(self.params)), axis=-1)[..., :-1], uniforms)


class LogisticMixture(Pixels):
    """A mixture of five logistics, gathered on 256 gray levels  (Salimans et al. 2017, eqs. 1 and 2).

    Of colours every channel has a mixture of its own: an autoregressive network tells it of the channels before.
    """

    num_components = 5
    num_params = 3 * num_components

    def _components(self):
        """(log weights, logistics), [..., K] each."""
        logits, loc, log_scale = tf.split(self.params, 3, axis=-1)
        # As `families.DISCRETISED_LOGISTIC`: parameters near 0 are a wide logistic around gray.
        # Much wider than the range of the levels the mass of one rounds to 0, whose logarithm has no gradient.
        scale = 0.1 * tf.exp(tf.clip_by_value(log_scale, -7.0, 5.0))
        return _log_softmax(logits), DiscretisedLogistic(loc + 0.5, scale)

    def log_probs(self, x):
        log_weights, logistics = self._components()
        return tf.reduce_logsumexp(log_weights + logistics.log_prob(x[..., None]), axis=-1)

    def mean(self):
        # Of whole numbers from 0 the mean is the sum of the probabilities to exceed 0, 1, 2, ...
        return tf.reduce_sum(1.0 - self._cumulative(), axis=-1) * _STEP

    def inverted(self, uniforms):
        return _level(self._cumulative(), uniforms)

    def _cumulative(self):
        """Of all levels but the last: [..., H, W, C, 255]."""
        log_weights, logistics = self._components()
        edges = (tf.range(LEVELS - 1, dtype=tf.float32) + 0.5) * _STEP
        below = tf.sigmoid((edges[:, None] - logistics.loc[..., None, :]) / logistics.scale[..., None, :])
        return tf.linalg.matvec(below, tf.exp(log_weights))


def _log_softmax(logits):
    """Over the last axis; oneDNN's own takes five axes at most."""
    return logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)


def _level(cumulative, uniforms):
    """The gray level that uniform numbers stand for, by the cumulative probabilities of all levels but the last."""
    return tf.cast(tf.math.count_nonzero(cumulative <= uniforms[..., None], axis=-1), tf.float32) * _STEP


PIXELS: dict[str, type[Pixels]] = {
    "bernoulli": Bernoulli, "categorical": Categorical, "logistic_mixture": LogisticMixture,
}  # fmt: skip
