"""Families of distributions, each built from the parameters that a network puts out.

A family knows how many parameters an event of D dimensions takes and turns [..., num_params] into a TFP distribution
with batch shape [...] and event shape [D]. Parameters are cast to float32 first, whatever precision the network has.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.probability import noise

tfd = tfp.distributions

Distribution = tfd.Distribution  # What the others call TFP's: nothing beside this package imports it.

_LOG_2_PI = float(np.log(2.0 * np.pi))


class Family(NamedTuple):
    """num_params(D): width of the network's output; distribution(params): its TFP distribution."""

    num_params: Callable[[int], int]
    distribution: Callable


class DiagGaussian(tfd.Independent):
    """Diagonal Gaussian over vectors by its log variance, which is what networks put out.

    Draws are the same numbers in graph mode and under XLA: TFP salts a seed with the default generator, which is
    another one under XLA, so they do not go through it. The density takes neither a logarithm nor a division.

    Args:
        loc: [..., D].
        log_variance: [..., D].
    """

    def __init__(self, loc, log_variance):
        super().__init__(tfd.Normal(loc, tf.exp(0.5 * log_variance)), reinterpreted_batch_ndims=1)
        self._parameters = {"loc": loc, "log_variance": log_variance}
        self._log_variance = log_variance

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        vector = tfp.util.ParameterProperties(event_ndims=1)
        return {"loc": vector, "log_variance": vector}

    def _log_prob(self, x):
        squares = tf.math.squared_difference(x, self.distribution.loc) * tf.exp(-self._log_variance)
        return -0.5 * tf.reduce_sum(squares + self._log_variance + _LOG_2_PI, axis=-1)

    def sample(self, sample_shape=(), seed=None):
        """[*sample_shape, ..., D], reparameterised; `seed` is an int32 [2] tensor."""
        loc, scale = self.distribution.loc, self.distribution.scale
        leading = tf.reshape(tf.cast(sample_shape, tf.int32), [-1])
        return loc + scale * noise.normal(tf.concat([leading, tf.shape(loc)], axis=0), seed)


class BernoulliVector(tfd.Independent):
    """Independent pixels by their logits [..., D]; one softplus a pixel where TFP takes two."""

    def __init__(self, logits):
        super().__init__(tfd.Bernoulli(logits=logits, dtype=tf.float32), reinterpreted_batch_ndims=1)
        self._parameters = {"logits": logits}
        self._logits = logits

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"logits": tfp.util.ParameterProperties(event_ndims=1)}

    def _log_prob(self, x):
        return tf.reduce_sum(x * self._logits - tf.math.softplus(self._logits), axis=-1)


class DiscretisedLogistic(tfd.Logistic):
    """Logistic whose mass is gathered on the 256 gray levels 0, 1/255, ..., 1; the tails belong to the end levels.

    `loc` and `scale` are on the scale 0..1. `log_prob` is a log probability, in nats a dimension (Kingma et al. 2016,
    "Improved variational inference with inverse autoregressive flow", the likelihood of their CIFAR-10 model).
    """

    @property
    def reparameterization_type(self):
        return tfd.NOT_REPARAMETERIZED  # Its draws are rounded.

    def _log_prob(self, x):
        half = 0.5 / 255.0
        upper, lower = (x + half - self.loc) / self.scale, (x - half - self.loc) / self.scale
        # log(sigmoid(u) − sigmoid(l)) = log_sigmoid(u) + log_sigmoid(−l) + log(1 − exp(l − u)): no cancellation.
        inside = tf.math.log_sigmoid(upper) + tf.math.log_sigmoid(-lower) + tf.math.log1p(-tf.exp(lower - upper))
        bottom = tf.math.log_sigmoid(upper)
        top = tf.math.log_sigmoid(-lower)
        return tf.where(x < half, bottom, tf.where(x > 1.0 - half, top, inside))

    def _mean(self):
        return tf.clip_by_value(self.loc, 0.0, 1.0) * tf.ones_like(self.scale)

    def _mode(self):
        return tf.round(self._mean() * 255.0) / 255.0

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        u = tf.clip_by_value(noise.uniform(shape, seed), 1e-6, 1.0 - 1e-6)
        x = self.loc + self.scale * (tf.math.log(u) - tf.math.log1p(-u))
        return tf.round(tf.clip_by_value(x, 0.0, 1.0) * 255.0) / 255.0


class PoissonCounts(tfd.Independent):
    """Independent counts by their log rates [..., D]."""

    def __init__(self, log_rates):
        super().__init__(tfd.Poisson(log_rate=log_rates), reinterpreted_batch_ndims=1)
        self._parameters = {"log_rates": log_rates}
        self._log_rates = log_rates

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"log_rates": tfp.util.ParameterProperties(event_ndims=1)}

    def _log_prob(self, x):
        # The factorials once a row, not once a draw of its code.
        of_rates = tf.reduce_sum(x * self._log_rates - tf.exp(self._log_rates), axis=-1)
        return of_rates - tf.reduce_sum(tf.math.lgamma(x + 1.0), axis=-1)


def _gaussian(params):
    loc, log_variance = tf.split(tf.cast(params, tf.float32), 2, axis=-1)
    return DiagGaussian(loc, log_variance)


def _softplus_gaussian(params):
    loc, unconstrained = tf.split(tf.cast(params, tf.float32), 2, axis=-1)
    # Deviations below a millionth are none: the logarithm stays finite.
    return DiagGaussian(loc, 2.0 * tf.math.log(tf.math.softplus(unconstrained) + 1e-6))


def _bernoulli(logits):
    return BernoulliVector(tf.cast(logits, tf.float32))


def _categorical(logits):
    return tfd.Categorical(logits=tf.cast(logits, tf.float32))


def _discretised_logistic(params):
    loc, log_scale = tf.split(tf.cast(params, tf.float32), 2, axis=-1)
    # A scale of a thousandth of a gray level would already put all mass on one: nothing is gained below.
    scale = tf.exp(tf.maximum(log_scale, np.log(1e-3 / 255.0).astype(np.float32)))
    return tfd.Independent(DiscretisedLogistic(loc + 0.5, 0.1 * scale), 1)


def _poisson(log_rates):
    return PoissonCounts(tf.cast(log_rates, tf.float32))


def of_images(family, image_shape):
    """The family of images [H, W, C] whose vectors are of `family`: for networks that put out maps."""
    dim = int(np.prod(image_shape))

    def distribution(params):
        to_images = tfp.bijectors.Reshape(event_shape_in=[dim], event_shape_out=list(image_shape))
        return tfd.TransformedDistribution(family.distribution(params), to_images)

    return Family(family.num_params, distribution)


GAUSSIAN = Family(lambda dim: 2 * dim, _gaussian)
# Its standard deviation is a softplus instead of the exponential of half a log variance.
SOFTPLUS_GAUSSIAN = Family(lambda dim: 2 * dim, _softplus_gaussian)
BERNOULLI = Family(lambda dim: dim, _bernoulli)
CATEGORICAL = Family(lambda dim: dim, _categorical)
DISCRETISED_LOGISTIC = Family(lambda dim: 2 * dim, _discretised_logistic)

POISSON = Family(lambda dim: dim, _poisson)

LIKELIHOODS = {
    "bernoulli": BERNOULLI, "gaussian": GAUSSIAN, "discretised_logistic": DISCRETISED_LOGISTIC, "poisson": POISSON,
}  # fmt: skip


class SoftplusGamma(tfd.TransformedDistribution):
    """Of z where softplus(z) ~ Gamma(shape, rate), independently in every dimension: a prior of positive scores.

    Args:
        dim: D.
        shape, rate: of the Gamma.
    """

    def __init__(self, dim, shape, rate):
        gamma = tfd.Gamma(tf.fill([dim], float(shape)), float(rate))
        super().__init__(tfd.Independent(gamma, 1), tfp.bijectors.Invert(tfp.bijectors.Softplus()))
        self._parameters = {"dim": dim, "shape": shape, "rate": rate}
        # Moments of z by 10,000 quantiles of equal mass: they have no closed form.
        scores = scipy.stats.gamma(shape, scale=1.0 / rate).ppf((np.arange(10_000) + 0.5) / 10_000)
        z = scores + np.log(-np.expm1(-np.maximum(scores, 1e-30)))
        self._moments = [tf.fill([dim], np.float32(value)) for value in (z.mean(), z.var())]

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    def _mean(self):
        return self._moments[0]

    def _variance(self):
        return self._moments[1]


def reparameterised(p_x, seed, temperature=0.5, hard=False):
    """A draw of p(x | z) with a gradient in z.

    A Gaussian's or a flow's is its own; a Bernoulli pixel has none, and is relaxed to σ((logit + logistic noise) / τ)
    (Maddison et al. 2017).

    Args:
        p_x: Gaussian, flow or Bernoulli, of vectors or images.
        seed: int32 [2].
        temperature: τ.
        hard: whether the value is the binary draw itself, with the gradient of the relaxed one.

    Raises:
        ValueError: if the distribution has no such draw.
    """
    of_images = isinstance(p_x, tfd.TransformedDistribution)
    vector = p_x.distribution if of_images else p_x
    if isinstance(vector, BernoulliVector):
        u = tf.clip_by_value(noise.uniform(tf.shape(vector._logits), seed), 1e-6, 1.0 - 1e-6)
        logits = vector._logits + tf.math.log(u) - tf.math.log1p(-u)
        x = tf.sigmoid(logits / temperature)
        x += tf.stop_gradient(tf.cast(logits > 0, tf.float32) - x) if hard else 0.0
    elif vector.reparameterization_type is tfd.FULLY_REPARAMETERIZED:
        x = vector.sample(seed=seed)
    else:
        raise ValueError(
            f"A draw of {type(vector).__name__} has no gradient: `model.likelihood` must be bernoulli, gaussian or, of "
            "vectors, planar."
        )
    return p_x.bijector.forward(x) if of_images else x


def log_prob_of_cells(p_x, x, width):
    """log p(x − width/2 < X < x + width/2 | z) of a diagonal Gaussian, summed over dimensions: [...], nats.

    Args:
        p_x: `DiagGaussian` of vectors or images.
        x: centres of the cells.
        width: of a cell, broadcasting against x.
    """
    if isinstance(p_x, tfd.TransformedDistribution):
        width = tf.reshape(tf.broadcast_to(width, p_x.event_shape), [-1])
        p_x, x = p_x.distribution, tf.reshape(x, [*x.shape[: -len(p_x.event_shape)], -1])
    return _log_prob_of_cells(p_x, x, width)


def _log_prob_of_cells(p_x, x, width):
    normal = p_x.distribution
    # By symmetry on the lower side of the mean, where both distribution functions are small and their logs exact.
    distance = tf.abs(x - normal.loc)
    upper, lower = (tfd.Normal(0.0, 1.0).log_cdf((-distance + s * width) / normal.scale) for s in (0.5, -0.5))
    return tf.reduce_sum(upper + tf.math.log(-tf.math.expm1(tf.minimum(lower - upper, -1e-7))), axis=-1)


def standard_normal(dim):
    """N(0, I) over vectors [dim]."""
    return DiagGaussian(tf.zeros(dim), tf.zeros(dim))


def equal_mixture(components):
    """(1/J) Σ_j p_j of distributions of batch shape [..., J]: batch shape [...]."""
    equal = tfd.Categorical(logits=tf.zeros(components.batch_shape[-1]))
    return tfd.MixtureSameFamily(equal, components)
