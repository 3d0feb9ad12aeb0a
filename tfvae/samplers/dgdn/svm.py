"""The Bayesian support vector machines on the code: λ, β, ω and κ, given all else.

    exp(−2γ max(m, 0)) = ∫ √γ / √(2πλ) exp(−γ (m + λ)² / (2λ)) dλ,   m = 1 − y f,   f = βᵀs + b

γ stays as it is given: with λ summed out its posterior has no number of images in its shape and goes to 0.

Pu 2017, eqs. (3.17) to (3.21); Polson & Scott 2011.
"""

from typing import NamedTuple

import tensorflow as tf

from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn.state import Data, Global, Prior

# λ is taken as at least that: it is divided by.
_LEAST = 1e-6


class Pulls(NamedTuple):
    """What classifiers do to a code: each is a Gaussian observation of f.

    weight: [N, C], γ / λ, its precision; 0 where there is no label.
    target: [N, C], y (1 + λ), what is observed.
    """

    weight: tf.Tensor
    target: tf.Tensor


def with_constant(code: tf.Tensor) -> tf.Tensor:
    """Codes [N, ...] as vectors with a constant 1 behind: [N, Z + 1]."""
    flat = tf.reshape(code, [tf.shape(code)[0], -1])
    return tf.concat([flat, tf.ones_like(flat[:, :1])], axis=1)


def decision(code: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """f of every classifier: [N, C]."""
    return tf.matmul(with_constant(code), beta)


def pulls(code: tf.Tensor, data: Data, shared: Global, prior: Prior, seed: tf.Tensor) -> Pulls:
    """λ | all else ~ GIG(1/2, γ, γ m²), as what it does to β and s: `Pulls`."""
    margin = 1.0 - data.sign * decision(code, shared.beta)
    slack = tf.maximum(conjugate.augmented(tf.abs(margin), prior.gamma, seed), _LEAST)
    return Pulls(data.sign**2 * prior.gamma / slack, data.sign * (1.0 + slack))


def log_pseudo_likelihood(code: tf.Tensor, data: Data, shared: Global, prior: Prior) -> tf.Tensor:
    """Σ_c −2γ max(m, 0): [N], nats."""
    margin = 1.0 - data.sign * decision(code, shared.beta)
    return -2.0 * prior.gamma * tf.reduce_sum(data.sign**2 * tf.nn.relu(margin), axis=-1)


class Statistics(NamedTuple):
    """What classifiers are drawn from: float64 Σ w s sᵀ [C, Z + 1, Z + 1] and Σ w t s [C, Z + 1]."""

    precision: tf.Tensor
    shift: tf.Tensor

    @classmethod
    def zeros(cls, dim: int, num_classes: int) -> "Statistics":
        shift = tf.zeros([num_classes, dim], tf.float64)
        return cls(tf.zeros([num_classes, dim, dim], tf.float64), shift)

    @classmethod
    def of(cls, code: tf.Tensor, pulls: Pulls) -> "Statistics":
        features = tf.cast(with_constant(code), tf.float64)
        weight, target = tf.cast(pulls.weight, tf.float64), tf.cast(pulls.target, tf.float64)
        precision = tf.matmul(tf.transpose(weight)[:, None] * tf.transpose(features), features)
        return cls(precision, tf.transpose(tf.matmul(features, weight * target, transpose_a=True)))


def beta(shared: Global, prior: Prior, statistics: Statistics, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(β, κ) | all else, ω drawn first: 1/ω is inverse Gaussian, β Gaussian, κ ~ Gamma(a + numbers, b + Σ ω).

    Args:
        shared: `Global`.
        prior: `Prior`.
        statistics: `Statistics` of the labelled images.
        seed: int32 [2].

    Returns:
        ([Z + 1, C], []).
    """
    omega_seed, kappa_seed, beta_seed = noise.split(seed, 3)
    rate = 2.0 * tf.cast(shared.kappa, tf.float64)
    size = tf.abs(tf.cast(shared.beta, tf.float64)) / tf.sqrt(rate)
    omega = tf.maximum(conjugate.augmented(size, rate, omega_seed), 1e-30)
    shape = tf.constant(prior.kappa[0] + float(omega.shape.num_elements()), tf.float64)
    kappa = conjugate.gamma(shape, prior.kappa[1] + tf.reduce_sum(omega), kappa_seed)
    precision = statistics.precision + tf.linalg.diag(tf.transpose(1.0 / omega))
    normal = tf.cast(noise.normal(statistics.shift.shape, beta_seed), tf.float64)
    drawn = conjugate.gaussian(precision, statistics.shift, normal)
    return tf.cast(tf.transpose(drawn), tf.float32), tf.cast(kappa, tf.float32)
