"""Gibbs sampling for Poisson factor analysis: topics from documents, and factor scores under given topics.

    x_np ~ Poisson(Σ_v h_nv θ_vp),   h_nv ~ Gamma(a, b),   θ_v ~ Dirichlet(η)

Every word of a document is told to one topic, by which all else is conjugate. Zhou et al. 2012; Pu 2017, section 4.5.1.
"""

from typing import NamedTuple

import numpy as np


class Words(NamedTuple):
    """The words of documents, one by one.

    document, word: int [W].
    shape: (N, P).
    """

    document: np.ndarray
    word: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, counts):
        """From counts [N, P].

        Raises:
            ValueError: if the entries are not counts.
        """
        counts = np.asarray(counts)
        if (counts < 0).any() or (counts != np.round(counts)).any():
            raise ValueError(f"Counts are whole and not negative, got {counts.min()} to {counts.max()}.")
        document, word = np.nonzero(counts)
        times = counts[document, word].astype(np.int64)
        return cls(np.repeat(document, times), np.repeat(word, times), counts.shape)


class Prior(NamedTuple):
    """shape, rate: a and b of factor scores; concentration: η of topics."""

    shape: float = 1.0
    rate: float = 1.0
    concentration: float = 0.05


_PRIOR = Prior()


def topics(counts, num_topics, prior=_PRIOR, burn_in=200, kept=100, seed=0):
    """Topics of documents: the mean of θ over the kept sweeps, float32 [V, P] (the source takes "its MAP value").

    Args:
        counts: [N, P].
        num_topics: V.
        prior: `Prior`.
        burn_in, kept: sweeps.
        seed: of the chain.
    """
    words, rng = Words.of(counts), np.random.default_rng(seed)
    theta = rng.dirichlet(np.ones(words.shape[1]), num_topics)
    scores = rng.gamma(prior.shape, 1.0 / prior.rate, [words.shape[0], num_topics])
    total = np.zeros_like(theta)
    for sweep in range(burn_in + kept):
        told = told_topics(words, scores, theta, rng)
        scores = _scores(words, told, num_topics, prior, rng)
        of_topic = np.bincount(told * words.shape[1] + words.word, minlength=theta.size).reshape(theta.shape)
        theta = rng.standard_gamma(prior.concentration + of_topic)
        theta /= theta.sum(axis=1, keepdims=True)
        if sweep >= burn_in:
            total += theta
    return (total / kept).astype(np.float32)


def factor_scores(counts, theta, prior=_PRIOR, burn_in=2000, kept=2500, thin=10, seed=0):
    """Draws of h under given topics: float32 [kept / thin, N, V].

    Args:
        counts: [N, P].
        theta: [V, P].
        prior: `Prior`; its concentration is not used.
        burn_in, kept: sweeps; the defaults are the source's.
        thin: of the kept sweeps every so many are returned.
        seed: of the chain.
    """
    words, rng = Words.of(counts), np.random.default_rng(seed)
    scores = rng.gamma(prior.shape, 1.0 / prior.rate, [words.shape[0], len(theta)])
    draws = []
    for sweep in range(burn_in + kept):
        scores = _scores(words, told_topics(words, scores, theta, rng), len(theta), prior, rng)
        if sweep >= burn_in and (sweep - burn_in + 1) % thin == 0:
            draws.append(scores)
    return np.stack(draws).astype(np.float32)


def told_topics(words, scores, theta, rng):
    """The topic of every word, drawn from p(v) ∝ h_nv θ_vp: int [W]."""
    cumulated = np.cumsum(scores[words.document] * theta.T[words.word], axis=1)
    drawn = rng.random(len(words.word)) * cumulated[:, -1]
    # A word that no topic has goes to the last one.
    return np.minimum((cumulated <= drawn[:, None]).sum(axis=1), len(theta) - 1)


def _scores(words, told, num_topics, prior, rng):
    """h | everything else: Gamma(a + words of the topic, b + 1), because a topic's loadings sum to one."""
    num = words.shape[0]
    of_document = np.bincount(words.document * num_topics + told, minlength=num * num_topics)
    return rng.standard_gamma(prior.shape + of_document.reshape(num, num_topics)) / (prior.rate + 1.0)
