"""How well are tags found? Average precision, F1 of the most probable ones, calibration; beside two rivals.

The rivals are how frequent a tag is in training, whatever the image, and a logistic regression on the same codes.
"""

import warnings
from typing import NamedTuple

import numpy as np
from absl import logging
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tfvae.batch import TAGGED, TAGS
from tfvae.capabilities import Capability
from tfvae.evaluation import nouns, representation
from tfvae.evaluation.batched import at_once, map_rows
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import EVALUATED_ROWS, Headline, Measurement
from tfvae.metrics import METRICS

NUM_BINS = 15
_AT = (1, 3, 5)  # k of F1.
_BOOTSTRAP = 200
_COSTS = (0.001, 0.01, 0.1, 1.0)


def tagged(rows):
    """The rows that have a tag at least."""
    return rows.take(np.flatnonzero(rows.has(TAGS)))


def probabilities(model, data, rows):
    """p(b_i = 1 | x) of every row and tag, by the mean usage: float32 [N, L]."""
    tag = compiled(model, "tag")
    return map_rows(lambda image, _: tag(image), data, rows, at_once(model, 500))


def truth(data, rows):
    """Which tags rows have, of those that are known: bool [N, L]."""
    return data.entries[TAGS].tensor(rows[TAGS]) > 0


def average_precision(has, score):
    """Σ_n (R_n − R_{n−1}) P_n over the thresholds of one tag; rows of equal scores come in together.

    Args:
        has: bool [N], some of them true.
        score: [N].
    """
    order = np.argsort(-score, kind="stable")
    score = score[order]
    is_last = np.append(score[1:] != score[:-1], True)  # Of equal scores.
    hits, seen = np.cumsum(has[order])[is_last], np.flatnonzero(is_last) + 1
    return float(np.sum(np.diff(hits, prepend=0) * hits / seen) / hits[-1])


def average_precisions(has, score):
    """Of every tag, NaN for one that no row has or all rows have: [L], for bool and floats [N, L]."""
    judged = has.any(axis=0) & ~has.all(axis=0)
    return np.array([average_precision(*of) if ok else np.nan for *of, ok in zip(has.T, score.T, judged, strict=True)])


def mean_average_precision(model, data, rows):
    """The mean over tags of the average precision on rows that have tags; 0 where no tag can be judged."""
    found = average_precisions(truth(data, rows), np.nan_to_num(probabilities(model, data, rows)))
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0


def f1_at(has, score, k):
    """Mean over rows of F1 of the k most probable tags against those that it has: 2 hits / (k + tags it has).

    Args:
        has: bool [N, L].
        score: [N, L].
        k: at most L.
    """
    chosen = np.argsort(-score, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(has, chosen, axis=1).sum(axis=1)
    return float(np.mean(2.0 * hits / (k + has.sum(axis=1))))


def calibration_errors(has, probs, num_bins=NUM_BINS):
    """Of every tag the mean gap between its probability and how often it is there, in bins of equal width: [L].

    Args:
        has: bool [N, L].
        probs: [N, L].
        num_bins: of probabilities.
    """
    which = np.clip((probs * num_bins).astype(int), 0, num_bins - 1)
    gaps = np.zeros([num_bins, has.shape[1]])
    for i in range(num_bins):
        gaps[i] = np.abs(np.where(which == i, has - probs, 0.0).sum(axis=0))
    return gaps.sum(axis=0) / len(has)


class _Training(NamedTuple):
    """Training data of the rivals: codes [N, Z] and tags [N, L] of tagged training and validation rows."""

    codes: np.ndarray
    has: np.ndarray
    validation_codes: np.ndarray
    validation_has: np.ndarray


def frequencies(has, num):
    """What is said of `num` rows without looking at them: the share of training rows that have each tag, [num, L]."""
    return np.tile(has.mean(axis=0), [num, 1])


def logistic(training, codes):
    """Probabilities [N, L] by a logistic regression a tag; the cost of all is chosen on validation rows, if any.

    Args:
        training: has `codes`, `has`, `validation_codes` and `validation_has`.
        codes: [N, Z].
    """
    scaler = StandardScaler().fit(training.codes)
    scaled = scaler.transform(training.codes)

    def fitted(cost):
        return [_one_logistic(scaled, has, cost) for has in training.has.T]

    def predicted(models, points):
        points = scaler.transform(points)
        return np.stack([model(points) for model in models], axis=1)

    if not len(training.validation_codes):
        return predicted(fitted(0.1), codes)

    def precision(models):
        return np.nanmean(average_precisions(training.validation_has, predicted(models, training.validation_codes)))

    return predicted(max(map(fitted, _COSTS), key=precision), codes)


def _one_logistic(points, has, cost):
    """A function from points [N, Z] to the probability of a tag [N]; of one that all rows or none have, its share."""
    if has.all() or not has.any():
        return lambda rows: np.full(len(rows), float(has[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # What it found by then is judged like any other.
        model = LogisticRegression(C=cost, max_iter=500).fit(points, has)
    return lambda rows: model.predict_proba(rows)[:, 1]


def applies(model, data, rows):
    """Whether the model tags, and a row has a tag to compare with; that none has is said."""
    if not (model.can(Capability.TAG) and TAGS in data.entries):
        return False
    if not len(tagged(rows)):
        logging.warning("No test row has a tag, so tags are not measured: give some images the split `test`.")
        return False
    return True


def measure(model, data, rows, settings):
    """Tags of rows that have some, by the model and by two rivals.

    Args:
        model: has `tag` and `encode`.
        data: `tfvae.data.load.Data`; rivals learn from its tagged rows.
        rows: `Examples`; those without a tag are left out.
        settings: the seed of the bootstrap.

    Returns:
        {"tag_map": the mean over tags of the average precision, of tags that some and not all rows have, with
        "tag_map_low", "tag_map_high", its 95 % interval by a bootstrap over rows, "tag_f1_at_<k>": of the k most
        probable tags, "tag_ece": the mean over tags of the calibration error, "frequency_<these>" and
        "logistic_<these>" of the rivals, "tagged_rows", "judged_tags", "unknown_tags": the share of tags of these rows
        that no training row has, "tags": tag -> {"average_precision", "calibration_error", "rows"}}.
    """
    rows = tagged(rows)
    has, probs = truth(data, rows), np.nan_to_num(probabilities(model, data, rows))
    training = _training(model, data)
    by_rivals = {
        "frequency": frequencies(training.has, len(rows)),
        "logistic": logistic(training, representation.codes(model, data, rows)),
    }
    precisions, errors = average_precisions(has, probs), calibration_errors(has, probs)
    return {
        **_scores(has, probs),
        **_interval(has, probs, settings.seed),
        **{f"{rival}_{name}": value for rival, of in by_rivals.items() for name, value in _scores(has, of).items()},
        "tagged_rows": len(rows),
        "judged_tags": int(np.isfinite(precisions).sum()),
        "unknown_tags": _unknown(data, rows),
        "tags": {
            name: {"average_precision": precisions[i], "calibration_error": errors[i], "rows": int(has[:, i].sum())}
            for i, name in enumerate(data.entries[TAGS].names)
        },
    }


def _training(model, data):
    some, held_out = data.further[TAGGED], tagged(data.validation)
    has_some = len(held_out) > 0
    return _Training(
        representation.codes(model, data, some),
        truth(data, some),
        representation.codes(model, data, held_out) if has_some else np.zeros([0, 0]),
        truth(data, held_out) if has_some else np.zeros([0, 0], bool),
    )


def _scores(has, probs):
    return {
        "tag_map": float(np.nanmean(average_precisions(has, probs))),
        **{f"tag_f1_at_{k}": f1_at(has, probs, k) for k in _AT if k <= has.shape[1]},
        "tag_ece": float(np.mean(calibration_errors(has, probs))),
    }


def _interval(has, probs, seed):
    """The mean average precision, less and more 1.96 standard deviations of that of rows that are drawn again.

    Not the quantiles of those: with a rare tag's few rows drawn twice they are all higher.
    """
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(_BOOTSTRAP):
        rows = rng.integers(0, len(has), len(has))
        drawn.append(np.nanmean(average_precisions(has[rows], probs[rows])))
    found, spread = np.nanmean(average_precisions(has, probs)), 1.96 * np.std(drawn)
    return {"tag_map_low": float(max(found - spread, 0.0)), "tag_map_high": float(min(found + spread, 1.0))}


def _unknown(data, rows):
    """The share of the rows' tags that the model does not know."""
    known, said = set(data.entries[TAGS].names), [tag for tags in rows[TAGS] for tag in tags]
    return sum(tag not in known for tag in said) / len(said)


def headlines(metrics, data):
    """Average precision beside the rivals, and calibration."""
    if metrics.get("tag_map") is None:
        return []
    shown, rows = METRICS["tag_map"].shown, nouns.counted(metrics["tagged_rows"], data, _kind(metrics))
    meaning = (
        f"Of {rows}, ranked by the probability of a tag, this share of those that come before one with the tag have it "
        f"too, the mean over such images and {metrics['judged_tags']:,} tags. By how frequent a tag is, without "
        f"looking: {shown(metrics['frequency_tag_map'])}; a logistic regression on the model's codes: "
        f"{shown(metrics['logistic_tag_map'])}."
    )
    low, high = metrics["tag_map_low"], metrics["tag_map_high"]
    told = [Headline("Precision of tags", shown(metrics["tag_map"]), meaning, 30, _spread(low, high))]
    meaning = "How far the probability of a tag and its frequency are apart, the mean over tags; 0 % is calibrated."
    return [*told, Headline("Calibration of tags", METRICS["tag_ece"].shown(metrics["tag_ece"]), meaning, 95)]


def caveats(metrics, data):
    """A model that finds tags no better than by chance, and tags that it cannot know."""
    del data
    told = []
    if metrics.get("tag_map_low") is not None and metrics["tag_map_low"] <= metrics["frequency_tag_map"]:
        told.append("Tags are found no more surely than by how frequent they are: the codes tell little about them.")
    if metrics.get("unknown_tags"):
        share = METRICS["tag_map"].shown(metrics["unknown_tags"])
        told.append(f"{share} of the tags of these rows are on no training image, or on too few: they are not judged.")
    return told


def _kind(metrics):
    return f"tagged {metrics.get(EVALUATED_ROWS, 'test')}"


def _spread(low, high):
    shown = METRICS["tag_map"].shown
    return f"95 % interval {shown(low)} to {shown(high)}"


MEASUREMENT = Measurement(applies, measure, headlines, caveats)
