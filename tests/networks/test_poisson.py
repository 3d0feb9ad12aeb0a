"""Counts of words from codes."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tfvae import ranges
from tfvae.networks import poisson
from tfvae.probability import noise


def test_factor_analysis_is_poisson_of_loadings_times_scores(rng):
    config = poisson.Config(layers=())
    decoder, z = config.decoder("p", 3, (5,), "poisson"), rng.normal(size=[4, 3])
    topics = decoder.loadings.topics().numpy()
    np.testing.assert_allclose(topics.sum(axis=1), 1.0, rtol=1e-5)
    counts = rng.poisson(2.0, [4, 5])
    expected = scipy.stats.poisson.logpmf(counts, np.logaddexp(0.0, z) @ topics).sum(axis=1)
    ours = decoder(tf.constant(z, tf.float32)).log_prob(tf.constant(counts, tf.float32))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_its_prior_is_a_gamma_of_the_scores(rng):
    prior, z = poisson.Config(layers=(), gamma_shape=0.7, gamma_rate=2.0).prior(3), rng.normal(size=[4, 3])
    slope = scipy.special.log_expit(z)  # Of softplus, whose values are the scores.
    density = scipy.stats.gamma(0.7, scale=0.5).logpdf(np.logaddexp(0.0, z)) + slope
    np.testing.assert_allclose(prior.log_prob(z.astype("float32")), density.sum(axis=1), rtol=1e-4)


def test_the_priors_moments_are_those_of_its_draws():
    prior = poisson.Config(layers=(), gamma_shape=1.3, gamma_rate=0.5).prior(2)
    draws = prior.sample(200_000, seed=noise.seed(0)).numpy()
    np.testing.assert_allclose(prior.mean(), draws.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(prior.variance(), draws.var(axis=0), rtol=0.03)


def test_a_deep_network_has_softplus_layers_and_expects_as_many_words_as_its_scores_say(rng):
    config = poisson.Config(layers=(6, 4))
    decoder, z = config.decoder("p", 3, (5,), "poisson"), tf.constant(rng.normal(size=[2, 3]), tf.float32)
    (weights, bias), (inner, inner_bias) = (
        (*decoder.merge.maps[0].weights, decoder.merge.bias),
        decoder.trunk.layers[2].weights,
    )
    second = tf.nn.softplus(z @ weights + bias)
    first = tf.nn.softplus(second @ inner + inner_bias)
    np.testing.assert_allclose(tf.reduce_sum(decoder(z).mean(), axis=-1), tf.reduce_sum(first, axis=-1), rtol=1e-4)
    assert decoder.loadings.logits.shape == (6, 5)


def test_topics_of_a_file_stay_as_they_are(rng, tmp_path):
    topics = rng.dirichlet(np.ones(5), size=3).astype("float32")
    np.save(tmp_path / "topics.npy", topics)
    decoder = poisson.Config(layers=(), loadings=str(tmp_path / "topics.npy")).decoder("p", 3, (5,), "poisson")
    decoder.initialise(np.ones([1, 5]))
    np.testing.assert_allclose(decoder.loadings.topics(), topics, rtol=1e-4, atol=1e-7)
    assert not decoder.trainable_variables


def test_topics_of_another_shape_are_refused(rng, tmp_path):
    np.save(tmp_path / "topics.npy", np.full([4, 5], 0.2))
    decoder = poisson.Config(layers=(), loadings=str(tmp_path / "topics.npy")).decoder("p", 3, (5,), "poisson")
    with pytest.raises(ValueError, match=r"`model\.latent_dim` to"):
        decoder.initialise(np.ones([1, 5]))


def test_what_is_no_count_model_is_refused():
    with pytest.raises(ValueError, match="likelihood=poisson"):
        poisson.Config().decoder("p", 3, (5,), "bernoulli")
    with pytest.raises(ValueError, match="`gamma_shape` must be a number in"):
        ranges.check(poisson.Config(gamma_shape=0.0))


def test_files_that_hold_no_topics_are_refused_when_training_begins(tmp_path):
    np.save(tmp_path / "unnormalised.npy", np.ones([3, 5]))
    np.savez(tmp_path / "archive.npz", np.ones([3, 5]))
    for name, told in (("no.npy", "is no .npy"), ("archive.npz", "is no .npy"), ("unnormalised.npy", "distribution")):
        decoder = poisson.Config(layers=(), loadings=str(tmp_path / name)).decoder("p", 3, (5,), "poisson")
        with pytest.raises(ValueError, match=told):
            decoder.initialise(np.ones([1, 5]))


def test_encoders_see_the_logarithms_of_counts(rng):
    config = poisson.Config(hidden=(4,))
    counts, xi = tf.constant(rng.poisson(3.0, [2, 5]), tf.float32), tf.constant(rng.normal(size=[3, 2]), tf.float32)
    encoder = config.implicit("q", (5,), 2)
    merged = tf.math.log1p(counts) @ encoder.merge.maps[0].kernel + xi[:, None] @ encoder.merge.maps[1].kernel
    hidden = tf.tanh(merged + encoder.merge.bias)
    expected = hidden @ encoder.dense[0].kernel + encoder.dense[0].bias
    np.testing.assert_allclose(encoder(counts, xi), expected, rtol=1e-4, atol=1e-5)
    gaussian = config.encoder("g", (5,), 2)
    hidden = tf.tanh(tf.math.log1p(counts) @ gaussian.merge.merge.maps[0].kernel + gaussian.merge.merge.bias)
    np.testing.assert_allclose(gaussian.params(counts), gaussian.trunk.layers[-1](hidden), rtol=1e-4, atol=1e-5)


def test_topics_begin_near_the_words_frequencies():
    decoder = poisson.Config().decoder("p", 2, (3,), "poisson")
    before = decoder.loadings.topics().numpy()
    decoder.initialise(np.array([[90.0, 8.0, 0.0], [9.0, 1.0, 0.0]]))
    expected = before * np.array([100.0, 10.0, 1.0])
    np.testing.assert_allclose(decoder.loadings.topics(), expected / expected.sum(axis=1, keepdims=True), rtol=1e-4)
