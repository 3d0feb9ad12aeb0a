"""Conditionals of the focused topic model: Geweke's test, counts and tags, and log odds against the model's joint."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.samplers.dgdn import joint
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import clusters, sweep, tags
from tfvae.samplers.dgdn import state as states
from tfvae.samplers.dgdn.geometry import Geometry

NUM, WORDS, ELEMENTS, USAGE = 3, 4, 2, 0.6


def statistics(topics, on, counts):
    return tf.stack(
        [
            topics.phi[0, 0], tf.reduce_sum(topics.phi[:, 0] ** 2), tf.math.log(topics.strength[0, 0]),
            on[0, 0], on[0, 0] * topics.strength[0, 0], tf.math.log1p(tf.reduce_sum(tf.nn.relu(counts))),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("binary", [True, False])
def test_it_passes_geweke_and_strengths_that_forget_their_counts_fail(binary):
    """A sweep over indicators, topics and strengths, then new tags of two images; those of the third are missing."""
    prior = tags.Prior(0.7, 2.0, 1.5, binary)
    missing = tf.constant([[False], [False], [True]])

    def draw(rng):
        phi = rng.dirichlet([prior.concentration] * WORDS, ELEMENTS).T
        strength = rng.gamma(prior.shape, 1 / prior.rate, [NUM, ELEMENTS])
        on = (rng.random([NUM, ELEMENTS]) < USAGE).astype(np.float32)
        counts = rng.poisson((strength * on) @ phi.T).astype(np.float32)
        return phi, strength, on, np.where(missing, -1.0, np.minimum(counts, 1.0) if binary else counts)

    def one(state, seed, wrong):
        topics, on, counts = state
        on_seed, topic_seed, count_seed = noise.split(seed, 3)
        for k in range(ELEMENTS):
            log_odds = np.log(USAGE / (1 - USAGE)) + tags.log_odds(k, on, topics, counts, binary)
            u = noise.uniform([NUM], noise.fold_in(on_seed, k)) + 2.0**-25
            now = tf.cast(tf.math.log(u) - tf.math.log1p(-u) < log_odds, tf.float32)
            on = tf.where(tf.range(ELEMENTS) == k, now[:, None], on)
        drawn = tags.redraw(topics, on, counts, prior, topic_seed)
        half = tags.redraw(topics, on, tf.zeros_like(counts), prior, topic_seed)
        topics = drawn._replace(strength=tf.where(wrong, half.strength, drawn.strength))
        counts = tags.poisson(tf.matmul(topics.strength * on, topics.phi, transpose_b=True), count_seed)
        counts = tf.where(missing, -1.0, tf.minimum(counts, 1.0) if binary else counts)
        return topics, on, counts

    def packed(phi, strength, on, counts):
        return tags.Topics(phi, strength), on, counts

    joint.check(draw, packed, one, statistics)


def test_the_whole_model_passes_geweke_and_tags_that_push_the_spike_the_other_way_fail(monkeypatch):
    """A sweep over everything, then new images and tags. In the control log odds have the wrong sign."""
    geometry = Geometry.of((3, 3, 1), networks.Config((ELEMENTS,), (3,), ()))
    topic_prior = tags.Prior(0.7, 2.0, 1.5)
    prior = states.Prior(noise=(8.0, 16.0), code=(12.0, 12.0), usage=(3.0, 3.0), spike=True, tags=topic_prior)
    log_odds = tags.log_odds

    def draw(rng):
        phi = rng.dirichlet([topic_prior.concentration] * WORDS, ELEMENTS).T
        strength = rng.gamma(topic_prior.shape, 1 / topic_prior.rate, [NUM, ELEMENTS])
        usage, code_precision = rng.beta(3.0, 3.0, ELEMENTS), rng.gamma(12.0) / 12.0
        on = rng.random([NUM, ELEMENTS]) < usage
        code = on * rng.normal(size=[NUM, ELEMENTS]) / np.sqrt(code_precision)
        given = (rng.poisson((strength * on) @ phi.T) > 0).astype(np.float32)
        dictionary, noise_precision = rng.normal(size=geometry.dictionary_shape(0)), rng.gamma(8.0) / 16.0
        code = code.reshape([NUM, 1, 1, ELEMENTS]).astype(np.float32)
        image = geometry.fit(tf.constant(code), [tf.constant(dictionary, tf.float32)], []).numpy()
        image = image + rng.normal(size=image.shape) / np.sqrt(noise_precision)
        return phi, strength, usage, code_precision, code, given, dictionary, noise_precision, image

    def packed(phi, strength, usage, code_precision, code, given, dictionary, noise_precision, image):
        num, one = tf.shape(code_precision), tf.ones_like(code_precision)
        none = tf.zeros(tf.concat([num, [ELEMENTS + 1, 0]], axis=0))
        shared = states.Global((dictionary,), noise_precision, code_precision, usage, none, one, phi=phi)
        return shared, states.Local((), code, strength=strength), image, given

    def one(state, seed, wrong):
        monkeypatch.setattr(tags, "log_odds", lambda *args: tf.where(wrong, -1.0, 1.0) * log_odds(*args))
        shared, local, image, given = state
        data, seeds = states.Data(image, tf.zeros([NUM, 0]), given), noise.split(seed, 4)
        local = sweep.local_sweep(geometry, prior, shared, local, data, seeds[0]).local
        shared, local = sweep.global_sweep(geometry, prior, shared, local, data, seeds[1])[:2]
        fit = geometry.fit(local.code, shared.dictionaries, [])
        image = fit + noise.normal(image.shape, seeds[2]) * tf.math.rsqrt(shared.noise_precision)
        rate = tf.matmul(local.strength * clusters.is_on(local.code), shared.phi, transpose_b=True)
        return shared, local, image, tf.minimum(tags.poisson(rate, seeds[3]), 1.0)

    def of_all(shared, local, image, given):
        topics = tags.Topics(shared.phi, local.strength)
        others = [
            tf.math.log(shared.noise_precision), tf.math.log(tf.reduce_sum(image**2)), shared.usage[0],
            tf.math.log(shared.code_precision), tf.math.log(tf.reduce_sum(shared.dictionaries[0] ** 2)),
        ]  # fmt: skip
        return tf.concat([statistics(topics, clusters.is_on(local.code), given), tf.stack(others)], axis=0)

    joint.check(draw, packed, one, of_all, sweeps=5000, num=2000)


@pytest.mark.parametrize("binary", [True, False])
def test_log_odds_are_those_of_the_joint(rng, binary):
    phi = rng.dirichlet(np.ones(WORDS), ELEMENTS).T
    strength, on = rng.gamma(1.0, size=[NUM, ELEMENTS]), np.array([[1, 1], [0, 1], [1, 0]])
    given = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [-1, -1, -1, -1]])
    topics = tags.Topics(tf.constant(phi, tf.float32), tf.constant(strength, tf.float32))
    found = tags.log_odds(1, tf.constant(on, tf.float32), topics, tf.constant(given, tf.float32), binary)

    def log_joint(indicators):
        rate = (strength * indicators) @ phi.T
        each = np.where(given > 0, -np.expm1(-rate), np.exp(-rate)) if binary else stats.poisson.pmf(given, rate)
        return np.log(np.where(given < 0, 1.0, each) + 1e-300).sum(axis=1)

    with_it, without = on.copy(), on.copy()
    with_it[:, 1], without[:, 1] = 1, 0
    expected = log_joint(with_it) - log_joint(without)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4)
    assert found[2] == 0.0


def test_an_element_that_alone_says_a_tag_that_is_there_is_on(rng):
    topics = tags.Topics(tf.constant([[1.0, 0.0], [0.0, 1.0]]), tf.ones([1, 2]))
    there = tags.log_odds(1, tf.constant([[1.0, 0.0]]), topics, tf.constant([[0.0, 1.0]]), True)
    assert there[0] > 50.0


def test_probabilities_are_those_of_strengths_from_the_prior(rng):
    phi, on = rng.dirichlet(np.ones(WORDS), ELEMENTS).T, np.array([[1.0, 0.0], [1.0, 1.0]])
    prior = tags.Prior(shape=2.0, rate=1.5)
    drawn = rng.gamma(2.0, 1 / 1.5, [200_000, 1, ELEMENTS])
    expected = -np.expm1(-(drawn * on) @ phi.T).mean(axis=0)
    found = tags.expected_probabilities(tf.constant(phi, tf.float32), tf.constant(on, tf.float32), prior)
    np.testing.assert_allclose(found, expected, atol=3e-3)


@pytest.mark.parametrize("rate", [1e-6, 0.3, 4.0, 30.0])
def test_counts_have_their_distribution(rate):
    drawn = tags.poisson(tf.fill([20_000], rate), noise.seed(0)).numpy()
    above = tags.truncated_poisson(tf.fill([20_000], rate), noise.seed(1)).numpy()
    np.testing.assert_allclose(drawn.mean(), rate, atol=4 * np.sqrt(rate / 20_000))
    assert above.min() >= 1.0
    truncated = rate / -np.expm1(-rate)
    deviation = np.sqrt(max(truncated * (1 + rate - truncated), 1e-12))
    np.testing.assert_allclose(above.mean(), truncated, atol=4 * deviation / np.sqrt(20_000) + 1e-3)


def test_a_count_is_divided_by_probabilities():
    told = tags.multinomial(tf.fill([5000], 7.0), tf.tile([[0.2, 0.5, 0.3]], [5000, 1]), noise.seed(0)).numpy()
    assert (told.sum(axis=1) == 7).all()
    np.testing.assert_allclose(told.mean(axis=0), [1.4, 3.5, 2.1], atol=0.08)
    np.testing.assert_allclose(np.cov(told.T)[0, 1], -7 * 0.2 * 0.5, atol=0.08)
