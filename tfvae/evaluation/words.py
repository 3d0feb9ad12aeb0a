"""Word counts: how unsure is the model of a word, and what are its topics?"""

import numpy as np
from scipy.special import gammaln

from tfvae.capabilities import Capability


def perplexities(bounds, counts):
    """What the bounds on log p(counts) say of a word.

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
    """The most probable words of every topic, the most probable first; [] for a model without topics.

    Args:
        model: any.
        words: the P words.
        num: words a topic.
    """
    if not (model.can(Capability.TOPICS) and words):
        return []
    order = np.argsort(-model.topics().numpy(), axis=1)[:, :num]
    return [[words[i] for i in topic] for topic in order]
