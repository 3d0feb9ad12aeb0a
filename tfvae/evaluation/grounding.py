"""What is an image worth to its captions? By how its own code explains them, beside the codes of other images.

A language model that never looks has a low perplexity too, and the code of a wrong image can do more harm than that of
the right one does good. So the rival of p(Y | x) here is the mixture (1/N) Σ_n p(Y | x_n) over the codes of all images:
what the model knows of captions without knowing which image it is.
"""

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from tfvae.batch import END
from tfvae.capabilities import Capability
from tfvae.data import captions
from tfvae.evaluation import retrieval
from tfvae.evaluation.batched import at_once, observations, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement

# Images that are held against each other's captions, captions of one call, and draws of the bootstrap.
_IMAGES, _CAPTIONS, _DRAWS = 100, 1000, 1000
# Words that are said of fewer images tell nothing, and those that are said of more are no content words.
_LEAST_IMAGES, _MOST_SHARE = 5, 0.5


def applies(model, data, rows):
    """Whether the model captions, and two images at least have captions."""
    del data
    return model.can(Capability.CAPTION) and len(rows.captioned()) > 1


def measure(model, data, rows, settings):
    """What images are worth to their captions, by mean codes, on a seeded random 100 images that have captions.

    Args:
        model: has `codes` and `caption_log_prob`.
        data: `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: their seed.

    Returns:
        {"image_nats": mean over words of log p(Y | x) − log (1/N) Σ_n p(Y | x_n), at most log N nats a caption, and the
        ends of its 95 % interval "image_nats_low", "image_nats_high" (a bootstrap over images),
        "image_nats_rows": N, "likelihood_<direction>_r<k>" and "..._rank": retrieval by that difference, the
        directions of `retrieval.recalls`,
        "word_auc": of words that are said of 5 images at least and of half of them at most, the mean over words of the
        probability that an image of which others say so is ranked above one of which they do not, by the difference
        for other images' captions with the word; "word_aucs": word -> the same}.
    """
    rows = subset(rows.take(rows.captioned()), _IMAGES, settings.seed)
    image_of = np.repeat(np.arange(len(rows)), [len(texts) for texts in rows.captions])
    texts = [text for of_image in rows.captions for text in of_image]
    words = data.vocabulary.ids(texts)
    log_p = _log_probs(model, _codes(model, data, rows), words)
    gain = log_p - (logsumexp(log_p, axis=0) - np.log(len(rows)))  # [N, M]
    lengths = (words != END).sum(axis=1) + 1
    aucs = word_aucs(gain, image_of, captions.split_words(texts))
    return {
        **image_nats(gain, image_of, lengths, settings.seed),
        **{f"likelihood_{name}": value for name, value in retrieval.recalls(gain, image_of).items()},
        "word_auc": float(np.mean(list(aucs.values()))) if aucs else None,
        "word_aucs": aucs,
    }


def image_nats(gain, image_of, lengths, seed=0):
    """The mean of the gain over words, with a 95 % interval by a bootstrap over images.

    Args:
        gain: [N, M] nats, of every image and caption.
        image_of: [M], the image of each caption.
        lengths: [M], words of each caption.
        seed: of the bootstrap.
    """
    own = gain[image_of, np.arange(len(image_of))]
    gains, words = (np.bincount(image_of, weights, len(gain)) for weights in (own, lengths))
    drawn = np.random.default_rng(seed).integers(len(gain), size=[_DRAWS, len(gain)])
    low, high = np.quantile(gains[drawn].sum(1) / words[drawn].sum(1), [0.025, 0.975])
    return {
        "image_nats": float(gains.sum() / words.sum()), "image_nats_low": float(low), "image_nats_high": float(high),
        "image_nats_rows": len(gain),
    }  # fmt: skip


def word_aucs(gain, image_of, split):
    """word -> area under the curve of images of which it is said, ranked by other images' captions with the word.

    Args:
        gain: [N, M] nats.
        image_of: [M], the image of each caption.
        split: M lists of words.
    """
    said_by = {}
    for caption, of_caption in enumerate(split):
        for word in set(of_caption):
            said_by.setdefault(word, []).append(caption)
    others = image_of[None, :] != np.arange(len(gain))[:, None]  # [N, M]
    found = {}
    for word, spoken in sorted(said_by.items()):
        images = np.unique(image_of[spoken])
        if _LEAST_IMAGES <= len(images) <= _MOST_SHARE * len(gain):
            of_others = others[:, spoken]
            score = (gain[:, spoken] * of_others).sum(1) / of_others.sum(1)
            found[word] = float(roc_auc_score(np.isin(np.arange(len(gain)), images), score))
    return found


def headlines(metrics, data):
    """What an image is worth, and which words are seen."""
    del data
    if metrics.get("image_nats") is None:
        return []
    best = sorted((metrics.get("word_aucs") or {}).items(), key=lambda item: -item[1])[:5]
    seen = f" Seen best: {', '.join(f'{word} ({auc:.2f})' for word, auc in best)}." if best else ""
    worth = 100.0 * np.expm1(metrics["image_nats"])
    meaning = (
        f"Nats a word that an image's code adds to what the model knows of captions without it: {worth:.1f} % of "
        f"perplexity, on {metrics['image_nats_rows']} test images. The image of a caption is among the ten best of "
        f"them in {100.0 * metrics['likelihood_caption_to_image_r10']:.0f} % of cases.{seen}"
    )
    spread = f"95\N{NO-BREAK SPACE}% interval {metrics['image_nats_low']:.3f} to {metrics['image_nats_high']:.3f}"
    return [Headline("What an image tells", f"{metrics['image_nats']:.3f} nats", meaning, rank=35, spread=spread)]


def _codes(model, data, rows):
    """Mean codes [N, Z]."""
    codes = compiled(model, "codes")
    parts = [codes(image)[0, :count] for image, count, _ in observations(data, rows, at_once(model, _IMAGES))]
    return tf.concat(parts, axis=0)


def _log_probs(model, codes, words):
    """log p(Y_m | x_n): codes [N, Z], int32 [M, T] -> [N, M] nats; the last captions of a call are filled up."""
    log_prob, num = compiled(model, "caption_log_prob"), len(codes)
    size = max(1, _CAPTIONS // num)
    found = np.zeros([num, len(words)])
    for start in range(0, len(words), size):
        part = words[start : start + size]
        padded = np.pad(part, [(0, size - len(part)), (0, 0)])
        values = log_prob(tf.repeat(codes, size, axis=0)[None], tf.constant(np.tile(padded, [num, 1])))
        found[:, start : start + len(part)] = values.numpy().reshape(num, size)[:, : len(part)]
    return found


MEASUREMENT = Measurement(applies, measure, headlines)
