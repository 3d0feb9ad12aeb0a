"""Is this image new? The rank of its score among those of n held-out images is a p-value, whatever the model is worth:

    p = (1 + #{held-out scores at least as strange}) / (n + 1)

Of an image of the same law p is uniform: p ≤ α happens with a probability of at most α, exactly and for every n. The
smallest p is 1 / (n + 1).  Vovk et al. 2005, "Algorithmic learning in a random world", section 2.

The score is a bound on log p(x) from one draw, with the same noise for every image (of a model without a density, its
negative energy). Strange is what lies far from the
middle, on either side: a model of photographs finds a blank one more probable than any of them (Nalisnick et al. 2019,
"Detecting out-of-distribution inputs to deep generative models using typicality").
"""

import numpy as np
import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation.batched import map_rows, subset
from tfvae.evaluation.compiled import function_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.probability import noise

SHARE = Metric("novel_rows", "Test images with p ≤ 5 %", "%")
LEVEL = 0.05

_HELD_OUT = 1000  # A p-value of 0.1 % is small enough for everybody.
_NOISE = 20051  # Of the seed that all images share.
# Scores are equal within this: other fusions round differently, and an image is often one of those held out.
_TOLERANCE = 1e-5
# The score of an image whose bound is not finite: stranger than all that are.
LOWEST = -1e30


def scores(model, image):
    """The one-draw bound of every observation, with the same noise for each: [B], nats.

    Of a model without a density the negative of its energy.
    """
    if model.can(Capability.ENERGY):
        return -tf.cast(model.energy(image), tf.float32)
    seed = noise.seed(_NOISE)

    def bound(row):
        return tf.cast(model.log_prob_bound(row[None], num_samples=1, seed=seed)[0], tf.float32)

    return tf.map_fn(bound, image, fn_output_signature=tf.float32)


def p_values(score, held_out):
    """The share of n + 1 scores, the image's own among them, that are at least as far from their median.

    The median is that of all n + 1, so that the image and those held out are treated alike, as the theorem asks.

    Args:
        score: [B]; what is not finite is stranger than what is.
        held_out: [n] numbers, in rising order; more than half of them finite.

    Returns:
        float32 [B], from 1 / (n + 1) to 1.
    """
    n = len(held_out)
    middle = (n + 2) // 2  # The lower median's rank among n + 1, from 1.
    low, high = ([-np.inf, *held_out][middle - 1], [*held_out, np.inf][middle - 1])
    score = tf.where(tf.math.is_finite(score), tf.cast(score, tf.float32), LOWEST)[:, None]
    centre = tf.clip_by_value(score, low, high)
    distance = tf.abs(score - centre) - _TOLERANCE * (10.0 + tf.abs(centre))
    others = tf.abs(tf.constant(held_out, tf.float32) - centre)
    as_strange = tf.reduce_sum(tf.cast(others >= distance, tf.float32), axis=1)
    return (1.0 + as_strange) / (n + 1.0)


def of_validation(model, data, seed=0):
    """The scores of validation images in rising order, of a random 1,000 where there are more: float32 [n]."""
    found = _scored(model, data, subset(data.validation, _HELD_OUT, seed))
    return np.sort(np.where(np.isfinite(found), found, LOWEST))


def can_be_asked(model, data):
    """Whether the model scores single images, and there are validation rows."""
    if not (model.can(Capability.BOUND) or model.can(Capability.ENERGY)) or not len(data.validation):
        return False
    score = model.endpoints().get("score")  # A density without data has a bound and serves none.
    return score is not None and score.signature[0].name == IMAGE and len(score.signature) == 2


def applies(model, data, rows):
    """Whether there are held-out scores, and other rows."""
    return rows is not data.validation and len(rows) > 0 and can_be_asked(model, data)


def measure(model, data, rows, settings):
    """How many rows would be called new.

    Args:
        model, data: the model and `tfvae.data.load.Data`, whose validation rows are held out.
        rows: `Examples`.
        settings: the number of rows, a seeded random subset.

    Returns:
        {"novel_rows": the share with p ≤ 5 %, "novelty_rows" (rows asked), "held_out_rows": n}.
    """
    held_out = of_validation(model, data)
    asked = subset(rows, settings.rows_limit, settings.seed)
    found = p_values(_scored(model, data, asked), held_out).numpy()
    return {SHARE.name: float(np.mean(found <= LEVEL)), "novelty_rows": len(asked), "held_out_rows": len(held_out)}


def headlines(metrics, data):
    """The share of test images that would be called new."""
    del data
    if metrics.get(SHARE.name) is None:
        return []
    meaning = (
        f"Of {metrics['novelty_rows']:,} test images so many have a p-value of at most 5 % among "
        f"{metrics['held_out_rows']:,} validation images; about 5 % should, where both are of the same kind."
    )
    return [Headline("Test images called new", SHARE.shown(metrics[SHARE.name]), meaning, rank=110)]


def _scored(model, data, rows):
    scored = function_of(model, scores)
    return map_rows(lambda image, _: scored(image), data, rows, batch_size=100)


MEASUREMENT = Measurement(applies, measure, headlines)
