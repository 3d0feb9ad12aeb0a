"""Tags by a focused topic model on what of the code is on, given all else.

    c_vn ~ Pois(λ_vn),   λ_vn = Σ_k φ_vk g_kn z_kn,   φ_k ~ Dir(η),   g_kn ~ Gamma(a, b),

with z_kn whether map k of image n's code is on (`tfvae.samplers.dgdn.top.spike_and_slab`). A binary tag b_vn says
whether c_vn > 0, so it is there with probability 1 − exp(−λ_vn). A count is told to elements by

    (c_v1n, ..., c_vKn) | c_vn ~ Mult(c_vn, φ_vk g_kn z_kn / λ_vn),

after which φ and g are conjugate.  Pu 2017, section 3.3.3, eqs. (3.30) to (3.32); Williamson et al. 2010.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.probability import conjugate, noise

# log λ of a tag that no element that is on can say.
_NEVER = -80.0


class Prior(NamedTuple):
    """concentration: η of the topics; shape, rate: a and b of the strengths; binary: tags are there or not."""

    concentration: float = 0.05
    shape: float = 1.0
    rate: float = 1.0
    binary: bool = True


class Topics(NamedTuple):
    """phi: [V, K], columns sum to 1; strength: [N, K], g of every image."""

    phi: tf.Tensor
    strength: tf.Tensor


def log_likelihood(rate: tf.Tensor, tags: tf.Tensor, binary: bool) -> tf.Tensor:
    """log p(c | λ) or log p(b | λ) of every tag, up to what λ does not change; 0 for an image whose tags are missing.

    Args:
        rate: λ, [...].
        tags: [...], counts or 0 and 1; negative for missing ones.
        binary: whether they are 0 and 1.
    """
    log_rate = tf.math.log(tf.maximum(rate, np.exp(_NEVER)))
    # log(1 − exp(−λ)) without cancellation, which tends to log λ.
    if binary:
        there = tf.where(rate > 1e-3, tf.math.log(-tf.math.expm1(-tf.maximum(rate, 1e-3))), log_rate - 0.5 * rate)
        found = tf.where(tags > 0.0, there, -rate)
    else:
        found = tags * log_rate - rate
    return tf.where(tags < 0.0, 0.0, found)


def log_odds(k: tf.Tensor, on: tf.Tensor, topics: Topics, tags: tf.Tensor, binary: bool) -> tf.Tensor:
    """log p(tags | z_k = 1) − log p(tags | z_k = 0) of every image: [N].

    Args:
        k: the element.
        on: float32 [N, K], z.
        topics: `Topics`.
        tags: [N, V].
        binary: as of `log_likelihood`.
    """
    strength = topics.strength * on
    own = tf.gather(topics.phi, k, axis=1)[None] * tf.gather(topics.strength, k, axis=1)[:, None]
    others = tf.matmul(strength, topics.phi, transpose_b=True) - own * tf.gather(on, k, axis=1)[:, None]
    others = tf.maximum(others, 0.0)  # Rounding.
    gain = log_likelihood(others + own, tags, binary) - log_likelihood(others, tags, binary)
    return tf.reduce_sum(gain, axis=1)


def redraw(topics: Topics, on: tf.Tensor, tags: tf.Tensor, prior: Prior, seed: tf.Tensor) -> Topics:
    """`Topics` | z, tags: counts of elements, then φ and g, of which those of elements that are off have their prior.

    Args:
        topics: `Topics`.
        on: float32 [N, K], z.
        tags: [N, V]; negative for missing ones.
        prior: `Prior`.
        seed: int32 [2].
    """
    count_seed, told_seed, topic_seed, strength_seed = noise.split(seed, 4)
    weight = topics.phi[None] * (topics.strength * on)[:, None]  # [N, V, K].
    rate = tf.reduce_sum(weight, axis=-1)
    counts = truncated_poisson(rate, count_seed) if prior.binary else tags
    counts = tf.where((tags > 0.0) & (rate > 0.0), counts, 0.0)
    told = multinomial(counts, weight / tf.maximum(rate, np.exp(_NEVER))[..., None], told_seed)
    phi = tf.exp(conjugate.log_dirichlet(tf.transpose(tf.reduce_sum(told, axis=0)) + prior.concentration, topic_seed))
    # Missing tags say nothing of an image's strengths, and Σ_v φ_vk = 1.
    seen = tf.cast(tf.reduce_any(tags >= 0.0, axis=1), tf.float32)[:, None] * on
    strength = conjugate.gamma(prior.shape + tf.reduce_sum(told, axis=1), prior.rate + seen, strength_seed)
    return Topics(tf.transpose(phi), strength)


def expected_probabilities(phi: tf.Tensor, on: tf.Tensor, prior: Prior) -> tf.Tensor:
    """p(b = 1 | z) of every tag, g drawn from its prior and summed out: [N, V], for z of images [N, K].

    1 − Π_k E exp(−φ_vk g_k z_k) = 1 − Π_k (1 + φ_vk z_k / b)^(−a).
    """
    return -tf.math.expm1(-prior.shape * tf.matmul(on, tf.math.log1p(phi / prior.rate), transpose_b=True))


def truncated_poisson(rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws from Pois(λ) given that they are not 0: float32 [...].

    The first event of a Poisson process on [0, λ], given that there is one, then the others in what is left of it.
    """
    first_seed, rest_seed = noise.split(seed, 2)
    u = conjugate.open_uniform(tf.shape(rate), first_seed)
    # −log(1 − u (1 − exp(−λ))), the place of the first event.
    place = -tf.math.log1p(u * tf.math.expm1(-rate))
    return 1.0 + poisson(tf.maximum(rate - place, 0.0), rest_seed)


def poisson(rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws from Pois(λ), float32 [...], by one uniform number each and the sum of probabilities that it exceeds."""
    u = noise.uniform(tf.shape(rate), seed)
    most = tf.cast(tf.reduce_max(rate + 8.0 * tf.sqrt(rate + 1.0)), tf.int32) + 8

    def step(
        k: tf.Tensor, drawn: tf.Tensor, log_mass: tf.Tensor, total: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        total += tf.exp(log_mass)
        drawn += tf.cast(u >= total, tf.float32)
        return k + 1, drawn, log_mass + tf.math.log(rate) - tf.math.log(tf.cast(k + 1, tf.float32)), total

    start = (tf.constant(0), tf.zeros_like(rate), -rate, tf.zeros_like(rate))
    return tf.while_loop(lambda k, *_: k < most, step, start)[1]


def multinomial(counts: tf.Tensor, probs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """How many of the counts each of K outcomes gets: [..., K], of probabilities that sum to 1 where a count is not 0.

    One trial after the other, of all counts at once.
    """
    most = tf.cast(tf.reduce_max(counts), tf.int32)
    edges = tf.cumsum(probs, axis=-1)[..., :-1]

    def step(trial: tf.Tensor, told: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        u = noise.uniform(tf.shape(counts), noise.fold_in(seed, trial))
        outcome = tf.reduce_sum(tf.cast(u[..., None] >= edges, tf.int32), axis=-1)
        one = tf.one_hot(outcome, probs.shape[-1])
        return trial + 1, told + tf.where((tf.cast(trial, tf.float32) < counts)[..., None], one, 0.0)

    start = (tf.constant(0), tf.zeros_like(probs))
    return tf.while_loop(lambda trial, told: trial < most, step, start)[1]
