"""How well does the model caption? Perplexity, overlap with what people wrote, and whether it looks at the image."""

import contextlib
import io
import math
import shutil

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.batch import END, UNKNOWN
from tfvae.capabilities import Capability
from tfvae.data import captions
from tfvae.evaluation import retrieval
from tfvae.evaluation.batched import at_once, chunk_sizes, observations, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS
from tfvae.probability import noise

# Images of one pass, captions times codes of one call, and images among which retrieval chooses.
_IMAGES = 100
_MAX_CAPTIONS = 2000
_RETRIEVED = 1000
# Probabilities of words in one call: hypotheses times codes times words.
_MAX_PROBABILITIES = 50_000_000


def applies(model, data, rows):
    """Whether the model captions, and a row has a caption to compare with; that none has is said."""
    del data
    if not model.can(Capability.CAPTION):
        return False
    if not len(rows.captioned()):
        logging.warning("No test row has a caption, so captions are not measured: give some images the split `test`.")
        return False
    return True


def measure(model, data, rows, settings, meteor=True):
    """Captioning of rows that have captions.

    Args:
        model: has `caption`.
        data: `tfvae.data.load.Data`.
        rows: `Examples`; those without captions are left out.
        settings: N_s, draws of the code that p(Y | x) is averaged over, 1 for the mean code; their seed; the decoding.
        meteor: whether METEOR is measured, where there is Java.

    Returns:
        {"perplexity": exp of the mean −log p(word | x), over all words (or word pieces) of all captions,
        ends counted,
        "word_nats": the same in nats, "perplexity_shuffled" with the code of another image of the same set: a language
        model that ignores the image has both alike, "unknown_words": their share, "captioned_rows", "captions",
        "bleu1" to "bleu4", "cider", "rouge_l", "meteor" of generated captions against all captions of their image, the
        same of captions made with another image's code as "<name>_shuffled", and what `retrieval.recalls` returns where
        captions have a code, with "retrieval_rows", among which it chose}.

    Raises:
        ValueError: where no row has a caption.
    """
    rows, num_samples, seed = captioned(rows), settings.num_samples, settings.seed
    # In an order of no meaning: the code of another image is that of the next one, which may lie in the same folder.
    rows = rows.take(np.random.default_rng(seed).permutation(len(rows)))
    if not len(rows):
        raise ValueError("No row has a caption to compare with. Evaluate the likelihood instead.")
    chosen = None if num_samples == 1 else seed
    result = likelihood(model, data, rows, num_samples, chosen)
    generated = generate(model, data, rows, num_samples, chosen, settings.decoding)
    for suffix, shift in (("", 0), ("_shuffled", 1)):
        made = [generated[(i + shift) % len(rows)] for i in range(len(rows))]
        found = overlap(made, rows.captions, meteor and not shift)
        result |= {f"{name}{suffix}": value for name, value in found.items()}
    if model.can(Capability.IMAGE_FROM_CAPTION):
        result |= retrieved(model, data, subset(rows, _RETRIEVED, seed))
    return result


def captioned(rows):
    """The rows that have a caption at least."""
    return rows.take(rows.captioned())


def perplexity(model, data, rows):
    """exp of the mean −log p(word | x) by the mean code, over all words of all captions of rows."""
    return math.exp(min(-_sums(model, data, captioned(rows), 1, None)["log_p"], 700.0))


def likelihood(model, data, rows, num_samples=1, seed=None):
    """The part of `measure` that needs no generated caption."""
    means = _sums(model, data, rows, num_samples, seed)
    return {
        "perplexity": math.exp(min(-means["log_p"], 700.0)),
        "word_nats": -means["log_p"],
        "perplexity_shuffled": math.exp(min(-means["shuffled"], 700.0)),
        "unknown_words": means["unknown"],
        "captioned_rows": len(rows),
        "captions": sum(map(len, rows.captions)),
    }


def generate(model, data, rows, num_samples=1, seed=None, decoding=""):
    """A caption of every row, as text."""
    caption, made = compiled(model, "caption_of_codes"), []
    a_row = num_samples * len(data.vocabulary.words) * model.config.caption.decoding.beams
    for s, count, index in _coded(model, data, rows, num_samples, seed, _MAX_PROBABILITIES // a_row):
        words, _ = caption(s, seed=noise.seed(seed or 0, index), decoding=decoding)
        made += data.vocabulary.texts(words.numpy()[:count])
    return made


def overlap(made, references, meteor=True):
    """BLEU, CIDEr, ROUGE-L and METEOR of captions against all references of their images, by pycocoevalcap.

    Args:
        made: N texts.
        references: N tuples of texts.
        meteor: whether METEOR is measured, where there is Java.

    Returns:
        {"bleu1", "bleu2", "bleu3", "bleu4", "cider", "rouge_l"} and, with Java, "meteor"; {} without pycocoevalcap,
        which is said.
    """
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError:
        logging.warning("Without pycocoevalcap no BLEU, CIDEr or ROUGE: install tfvae with its extra `captions`.")
        return {}
    tokens = lambda texts: [" ".join(words) for words in captions.split_words(texts)]  # noqa: E731
    hypothesis = {i: [text] for i, text in enumerate(tokens(made))}
    reference = {i: tokens(texts) for i, texts in enumerate(references)}
    with contextlib.redirect_stdout(io.StringIO()):  # It prints its counts.
        bleu, _ = Bleu(4).compute_score(reference, hypothesis, verbose=0)
        # Where no run of n words is right it has a tiny number in the place of 0.
        found = {f"bleu{n}": round(float(value), 6) for n, value in enumerate(bleu, 1)}
        found["cider"] = float(Cider().compute_score(reference, hypothesis)[0])
        found["rouge_l"] = float(Rouge().compute_score(reference, hypothesis)[0])
        if meteor and shutil.which("java"):
            from pycocoevalcap.meteor.meteor import Meteor

            found["meteor"] = float(Meteor().compute_score(reference, hypothesis)[0])
    return found


def retrieved(model, data, rows):
    """Retrieval both ways through the shared code."""
    chunks = observations(data, rows, at_once(model, _IMAGES))
    of_images = [compiled(model, "encode_moments")(image) for image, _, _ in chunks]
    mean_x, variance_x = (np.concatenate([part[i] for part in of_images])[: len(rows)] for i in (0, 1))
    flat, image_of = _flat(rows.captions)
    words = data.vocabulary.ids(flat)
    parts = np.array_split(words, -(-len(words) // _MAX_CAPTIONS))
    of_captions = [compiled(model, "encode_caption_moments")(tf.constant(part)) for part in parts]
    mean_y, variance_y = (np.concatenate([part[i] for part in of_captions]) for i in (0, 1))
    score = tf.function(retrieval.agreement)(*map(tf.constant, (mean_x, variance_x, mean_y, variance_y)))
    return {**retrieval.recalls(score, image_of), "retrieval_rows": len(rows)}


def headlines(metrics, data):
    """Perplexity, overlap, retrieval."""
    del data
    told = []
    if metrics.get("perplexity") is not None:
        told.append(_perplexity_headline(metrics))
    if metrics.get("bleu1") is not None:
        told.append(_overlap_headline(metrics))
    if metrics.get("caption_to_image_r10") is not None:
        told.append(_retrieval_headline(metrics))
    return told


def _perplexity_headline(metrics):
    return Headline(
        "Perplexity",
        f"{metrics['perplexity']:.1f}",
        f"The model is as unsure of the next word as between that many equally probable ones: {metrics['captions']:,} "
        f"captions of {metrics['captioned_rows']:,} test images. With the code of another image it is "
        f"{metrics['perplexity_shuffled']:.1f}: the gap is what it takes from the image.",
        rank=30,
    )


def _overlap_headline(metrics):
    return Headline(
        "BLEU-1 · BLEU-4",
        f"{metrics['bleu1']:.2f} · {metrics['bleu4']:.2f}",
        "Words, and runs of up to four words, of generated captions that people used for the same image, from 0 to 1. "
        f"With another image's code: {metrics['bleu1_shuffled']:.2f} · {metrics['bleu4_shuffled']:.2f}.",
        rank=40,
    )


def _retrieval_headline(metrics):
    rows, percent = metrics["retrieval_rows"], METRICS["caption_to_image"].shown
    return Headline(
        "Recall at 10",
        f"{percent(metrics['caption_to_image_r10'])} · {percent(metrics['image_to_caption_r10'])}",
        f"How often the image of a caption is among the ten best of {rows:,}, by the code that both share (by chance "
        f"{percent(min(1.0, 10 / rows))}), and how often a caption of an image is. Median ranks: "
        f"{metrics['caption_to_image_rank']:g}, {metrics['image_to_caption_rank']:g}.",
        rank=50,
    )


def _coded(model, data, rows, num_samples, seed, most=_IMAGES):
    """Yields codes [S, B, Z] of a few rows at a time, how many count, and a number; for no seed the mean code."""
    codes = compiled(model, "codes")
    # At least two rows, also in the last batch, so that each has another one to change codes with.
    batch_size = max(2, at_once(model, min(most, _IMAGES)))
    batch_size += len(rows) % batch_size == 1
    for image, count, index in observations(data, rows, batch_size):
        if seed is None:
            yield codes(image), count, index
            continue
        sizes = chunk_sizes(num_samples, max(1, at_once(model, _IMAGES * num_samples) // len(image)))
        parts = [codes(image, num_samples=size, seed=noise.seed(seed, index, i)) for i, size in enumerate(sizes)]
        yield tf.concat(parts, axis=0), count, index


def _flat(of_images):
    """All captions one after the other, and the image of each: N tuples -> [M] texts, [M] indices."""
    image_of = [i for i, texts in enumerate(of_images) for _ in texts]
    return [text for texts in of_images for text in texts], np.array(image_of, np.int64)


def _sums(model, data, rows, num_samples, seed):
    """Means over words: log p(word | x), the same by another image's code, and the share of unknown words."""
    totals, words_seen = dict.fromkeys(("log_p", "shuffled", "unknown"), 0.0), 0
    log_prob, done = compiled(model, "caption_log_prob"), 0
    most = max(map(len, rows.captions))
    for s, count, _ in _coded(model, data, rows, num_samples, seed):
        texts, image_of = _flat(rows.captions[done : done + count])
        done += count
        words = data.vocabulary.ids(texts)
        totals["unknown"] += int((words == UNKNOWN).sum())
        words_seen += int((words != END).sum()) + len(words)
        for name, of in (("log_p", image_of), ("shuffled", (image_of + 1) % count)):
            totals[name] += _total(log_prob, s, of, words, most)
    return {name: total / words_seen for name, total in totals.items()}


def _total(log_prob, s, image_of, words, most):
    """Σ log p(Y | x) of captions, in calls of one size: the last is filled up with captions that do not count.

    No image has more than `most` captions.
    """
    size = max(1, min(_MAX_CAPTIONS // s.shape[0], most * s.shape[1]))
    total = 0.0
    for start in range(0, len(words), size):
        part, of = words[start : start + size], image_of[start : start + size]
        missing = (0, size - len(part))
        padded = np.pad(part, [missing, (0, 0)]), np.pad(of, [missing])
        values = log_prob(tf.gather(s, padded[1], axis=1), tf.constant(padded[0]))
        total += float(np.sum(values.numpy()[: len(part)], dtype=np.float64))
    return total


MEASUREMENT = Measurement(applies, measure, headlines)
