"""Counts of words from codes."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae.networks import poisson


def test_factor_analysis_is_poisson_of_loadings_times_scores(rng):
    config = poisson.Config(layers=())
    decoder, z = config.decoder("p", 3, (5,), "poisson"), rng.normal(size=[4, 3])
    topics = decoder.loadings.topics().numpy()
    np.testing.assert_allclose(topics.sum(axis=1), 1.0, rtol=1e-5)
    counts = rng.poisson(2.0, [4, 5])
    expected = scipy.stats.poisson.logpmf(counts, np.exp(z) @ topics).sum(axis=1)
    ours = decoder(tf.constant(z, tf.float32)).log_prob(tf.constant(counts, tf.float32))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_its_prior_is_a_gamma_of_the_scores(rng):
    prior, z = poisson.Config(layers=(), gamma_shape=0.7, gamma_rate=2.0).prior(3), rng.normal(size=[4, 3])
    density = scipy.stats.gamma(0.7, scale=0.5).logpdf(np.exp(z)) + z  # Of the logarithm of a score.
    np.testing.assert_allclose(prior.log_prob(z.astype("float32")), density.sum(axis=1), rtol=1e-4)


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
    decoder.initialise()
    np.testing.assert_allclose(decoder.loadings.topics(), topics, rtol=1e-4, atol=1e-7)
    assert not decoder.trainable_variables


def test_topics_of_another_shape_are_refused(rng, tmp_path):
    np.save(tmp_path / "topics.npy", np.ones([4, 5]))
    decoder = poisson.Config(layers=(), loadings=str(tmp_path / "topics.npy")).decoder("p", 3, (5,), "poisson")
    with pytest.raises(ValueError, match=r"`model\.latent_dim` to"):
        decoder.initialise()


def test_what_is_no_count_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="likelihood=poisson"):
        poisson.Config().decoder("p", 3, (5,), "bernoulli")
    with pytest.raises(ValueError, match="must be positive"):
        poisson.Config(gamma_shape=0.0).check((5,))
    with pytest.raises(ValueError, match="does not exist"):
        poisson.Config(loadings=str(tmp_path / "no.npy")).check((5,))
