"""Word counts: how unsure is the model of a word, and what are its topics?"""

import numpy as np
from scipy.special import gammaln

from tfvae.capabilities import Capability
from tfvae.evaluation.measurement import Headline, Measurement


def perplexities(bounds, counts):
    """Perplexity of a word, from bounds on log p(counts).

    The words of a document in their order are one of N! / Π x_p! equally probable ones with its counts, so that
    log p(words) = log p(counts) + Σ log x_p! − log N!. It has the document's length in it, which a Poisson model
    explains too; a model of words alone, such as a softmax over the vocabulary, is asked less.

    Args:
        bounds: on log p(counts) of every document, nats: [D].
        counts: [D, P]; documents without a word are left out.

    Returns:
        {"word_perplexity": exp of the mean over documents of −log p a word, as the sources of topic models print it;
        "word_perplexity_corpus": exp of −log p of all documents over all their words}.
    """
    lengths = counts.sum(axis=1, dtype=np.float64)
    log_p = np.asarray(bounds, np.float64) + gammaln(counts + 1.0).sum(axis=1) - gammaln(lengths + 1.0)
    said = lengths > 0
    return {
        "word_perplexity": float(np.exp(-np.mean(log_p[said] / lengths[said]))),
        "word_perplexity_corpus": float(np.exp(-log_p[said].sum() / lengths[said].sum())),
    }


def topics(model, words, num=10):
    """The most probable words of every topic, the most probable first.

    Args:
        model: a model with topics.
        words: the P words.
        num: words a topic.
    """
    order = np.argsort(-model.topics().numpy(), axis=1)[:, :num]
    return [[words[i] for i in topic] for topic in order]


def applies(model, data, rows):
    """Whether the model has topics, and the words have names."""
    del rows
    return model.can(Capability.TOPICS) and len(data.words) > 0


def measure(model, data, rows, settings):
    """Topics in words.

    Returns:
        {"topics": a list of its most probable words for every topic}.
    """
    del rows, settings
    return {"topics": topics(model, data.words)}


def headlines(metrics, data):
    """Perplexity of words, which the bounds give."""
    del data
    if metrics.get("word_perplexity") is None:
        return []
    meaning = (
        "The model is as unsure of a word of a test document as between that many equally probable ones, the length of "
        f"the document included; by words rather than documents {metrics['word_perplexity_corpus']:.0f}."
    )
    return [Headline("Word perplexity", f"{metrics['word_perplexity']:.0f}", meaning, rank=70)]


MEASUREMENT = Measurement(applies, measure, headlines)
