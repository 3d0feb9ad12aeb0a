"""Gibbs sampling of Poisson factor analysis against closed forms and quadrature."""

import numpy as np
import pytest
import scipy.stats

from tfvae.probability import gibbs

PRIOR = gibbs.Prior(shape=0.8, rate=0.5)


def test_with_one_topic_scores_are_those_of_the_conjugate_gamma(rng):
    counts, theta = np.array([[3, 0, 2], [0, 1, 0]]), np.array([[0.5, 0.2, 0.3]])
    draws = gibbs.factor_scores(counts, theta, PRIOR, burn_in=10, kept=4000, thin=1)
    for n, words in enumerate((5, 1)):
        exact = scipy.stats.gamma(0.8 + words, scale=1 / 1.5)
        assert scipy.stats.kstest(draws[:, n, 0], exact.cdf).pvalue > 0.01


def test_with_two_topics_scores_are_those_of_quadrature():
    counts, theta = np.array([[4, 1, 0]]), np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    draws = gibbs.factor_scores(counts, theta, PRIOR, burn_in=500, kept=30_000, thin=3)[:, 0]
    axis = np.linspace(1e-3, 25.0, 800)
    h = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    log_p = scipy.stats.gamma(0.8, scale=2.0).logpdf(h).sum(-1)
    log_p += scipy.stats.poisson.logpmf(counts[0], h @ theta).sum(-1)
    mass = np.exp(log_p - log_p.max())
    mass /= mass.sum()
    expected = (mass[..., None] * h).sum((0, 1))
    np.testing.assert_allclose(draws.mean(axis=0), expected, rtol=0.06)
    spread = np.sqrt((mass[..., None] * (h - expected) ** 2).sum((0, 1)))
    np.testing.assert_allclose(draws.std(axis=0), spread, rtol=0.06)


def test_topics_that_made_the_documents_are_found(rng):
    true = np.full([3, 12], 0.01)
    for v in range(3):
        true[v, 4 * v : 4 * v + 4] = 1.0
    true /= true.sum(axis=1, keepdims=True)
    counts = rng.poisson(rng.gamma(0.3, 20.0, [200, 3]) @ true)
    found = gibbs.topics(counts, 3, gibbs.Prior(0.3, 0.05), burn_in=60, kept=20)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    nearest = [np.abs(found - topic).sum(axis=1).min() for topic in true]
    assert max(nearest) < 0.2


def test_equal_seeds_give_equal_chains():
    counts, theta = np.array([[4, 1, 0]]), np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    first, again, other = (gibbs.factor_scores(counts, theta, burn_in=5, kept=10, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_document_without_words_has_the_prior():
    draws = gibbs.factor_scores(np.zeros([1, 3]), np.full([1, 3], 1 / 3), PRIOR, burn_in=1, kept=3000, thin=1)
    # No word was seen in a unit of exposure.
    assert scipy.stats.kstest(draws[:, 0, 0], scipy.stats.gamma(0.8, scale=1 / 1.5).cdf).pvalue > 0.01


def test_what_are_no_counts_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        gibbs.Words.of([[0.5, 1.0]])
