"""Perplexity of word counts, and topics."""

import types

import numpy as np
import pytest
import scipy.stats

from tfvae.batch import DataInfo
from tfvae.evaluation import words
from tfvae.models import vae
from tfvae.networks import mlp, poisson


def test_perplexity_is_that_of_the_words_and_their_number():
    """Independent words from p, and a Poisson length: log p(words) = log p(N) + Σ log p(word)."""
    p, rate = np.array([0.5, 0.3, 0.2]), 4.0
    counts = np.array([[2, 1, 0], [0, 0, 1], [0, 0, 0]])
    bounds = scipy.stats.poisson.logpmf(counts, rate * p).sum(axis=1)
    lengths = counts.sum(axis=1)
    log_words = scipy.stats.poisson.logpmf(lengths, rate) + (counts * np.log(p)).sum(axis=1)
    got = words.perplexities(bounds, counts)
    assert got["word_perplexity"] == pytest.approx(np.exp(-np.mean(log_words[:2] / lengths[:2])))
    assert got["word_perplexity_corpus"] == pytest.approx(np.exp(-log_words[:2].sum() / lengths[:2].sum()))


def test_topics_are_told_by_their_most_probable_words():
    network = poisson.Config(layers=())
    model = vae.Config(latent_dim=2, network=network, likelihood="poisson").build(DataInfo((3,), 0, 10, 0))
    model.p_x_given_z.loadings.assign(np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]))
    assert words.topics(model, ("a", "b", "c"), num=2) == [["b", "c"], ["a", "c"]]
    without = vae.Config(latent_dim=2, network=mlp.Config(hidden=(2,))).build(DataInfo((3,), 0, 10, 0))
    named, nameless = types.SimpleNamespace(words=("a", "b", "c")), types.SimpleNamespace(words=())
    assert words.applies(model, named, None)
    assert not words.applies(model, nameless, None) and not words.applies(without, named, None)
