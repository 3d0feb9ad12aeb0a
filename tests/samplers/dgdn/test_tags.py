"""Conditionals of the focused topic model: Geweke's test, counts and tags, and log odds against the model's joint."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.probability import noise
from tfvae.samplers.dgdn import tags

NUM, WORDS, ELEMENTS, SWEEPS, BATCHES = 3, 4, 2, 20_000, 25
USAGE, MOST = 0.6, 4.2


def statistics(topics, on, counts):
    return tf.stack(
        [
            topics.phi[0, 0], tf.reduce_sum(topics.phi[:, 0] ** 2), tf.math.log(topics.strength[0, 0]),
            on[0, 0], on[0, 0] * topics.strength[0, 0], tf.math.log1p(tf.reduce_sum(tf.nn.relu(counts))),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("binary", [True, False])
def test_it_passes_geweke_and_strengths_that_forget_their_counts_fail(binary, monkeypatch):
    """A sweep over indicators, topics and strengths, then new tags of two images; those of the third are missing."""
    prior = tags.Prior(0.7, 2.0, 1.5, binary)
    missing = tf.constant([[False], [False], [True]])

    def draw(rng):
        phi = rng.dirichlet([prior.concentration] * WORDS, ELEMENTS).T
        strength = rng.gamma(prior.shape, 1 / prior.rate, [NUM, ELEMENTS])
        on = (rng.random([NUM, ELEMENTS]) < USAGE).astype(np.float32)
        counts = rng.poisson((strength * on) @ phi.T).astype(np.float32)
        return phi, strength, on, np.where(missing, -1.0, np.minimum(counts, 1.0) if binary else counts)

    def sweep(state, seed, wrong):
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

    @tf.function(jit_compile=True, autograph=False)
    def chain(state, wrong):
        def once(t, state, found):
            state = sweep(state, noise.seed(3, t), wrong)
            return t + 1, state, tf.tensor_scatter_nd_update(found, [[t]], statistics(*state)[None])

        return tf.while_loop(lambda t, *_: t < SWEEPS, once, (tf.constant(0), state, tf.zeros([SWEEPS, 6])))[2]

    rng = np.random.default_rng(0)
    columns = [tf.constant(np.stack(column), tf.float32) for column in zip(*(draw(rng) for _ in range(5000)))]
    states = tags.Topics(*columns[:2]), *columns[2:]
    expected = tf.function(lambda: tf.map_fn(lambda of: statistics(*of), states, fn_output_signature=tf.float32))()
    for wrong in (False, True):
        found = chain(tf.nest.map_structure(lambda t: t[0], states), tf.constant(wrong)).numpy().astype(np.float64)
        batches = found.reshape(BATCHES, -1, 6).mean(axis=1)
        error = np.sqrt(batches.var(axis=0, ddof=1) / BATCHES + expected.numpy().var(axis=0) / 5000 + 1e-12)
        z = np.abs(batches.mean(axis=0) - expected.numpy().mean(axis=0)) / error
        assert np.isfinite(z).all() and (z.max() > MOST) == wrong, z


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
