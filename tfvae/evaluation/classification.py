"""How often, and how surely, is the class right?"""

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation import intervals, labels, nouns
from tfvae.evaluation.batched import at_once, chunk_sizes, map_rows
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import EVALUATED_ROWS, Headline, Measurement
from tfvae.metrics import METRICS
from tfvae.probability import noise

NUM_BINS = 15

# Rows times draws of the auxiliary variable in one call.
_MAX_DRAWS = 20_000


def probabilities(model, data, rows, num_samples=1, seed=None, batch_size=500):
    """q(y | x) of every row.

    Args:
        model: has `classify`.
        data: `tfvae.data.load.Data`; observations are the expected ones, without noise.
        rows: N `Examples`.
        num_samples: S, draws of the auxiliary variable that are averaged; only with a seed.
        seed: integer; None for the mean of q(a | x), which is exactly repeatable.
        batch_size: rows in one call.

    Returns:
        float32 [N, K].

    Raises:
        ValueError: for a model that does not classify, or `num_samples` below 1.
    """
    if not model.can(Capability.CLASSIFY):
        raise ValueError(f"{type(model).__name__} does not classify: evaluate its likelihood or its codes instead.")
    if num_samples < 1:
        raise ValueError(f"`num_samples` must be at least 1, got {num_samples}.")
    classify = compiled(model, "classify")
    batch_size = at_once(model, min(batch_size, max(1, len(rows))))
    sizes = chunk_sizes(num_samples, max(1, at_once(model, _MAX_DRAWS) // batch_size))

    def averaged(image, index):
        if seed is None:
            return classify(image)
        total = 0.0
        for part, size in enumerate(sizes):
            total += size * classify(image, num_samples=size, seed=noise.seed(seed, index, part)).numpy()
        return total / num_samples

    return map_rows(averaged, data, rows, batch_size).astype(np.float32)


def error_rate(probs, label):
    """The fraction of rows whose most probable class is not their label; rows with a NaN count as wrong.

    Args:
        probs: [N, K].
        label: [N], integers.
    """
    return float(np.mean(_predicted(probs) != label))


def calibration(probs, label, num_bins=NUM_BINS):
    """Confidence against accuracy in bins of equal width.

    Args:
        probs: [N, K]; rows with a NaN count as wrong with confidence 1.
        label: [N].
        num_bins: M.

    Returns:
        {"edges": [M + 1], "count": [M], "confidence": [M], "accuracy": [M]}, the last two NaN in empty bins.

    Guo et al. 2017, "On calibration of modern neural networks", section 2.
    """
    confidence = np.where(_valid(probs), np.nan_to_num(probs).max(axis=1), 1.0)
    correct = _predicted(probs) == label
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    # Bins are open on the left, so that a confidence of exactly 1 falls into the last one.
    which = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(which, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        return {
            "edges": edges,
            "count": count,
            "confidence": np.bincount(which, weights=confidence, minlength=num_bins) / count,
            "accuracy": np.bincount(which, weights=correct, minlength=num_bins) / count,
        }


def expected_calibration_error(probs, label, num_bins=NUM_BINS):
    """Mean gap between confidence and accuracy, over bins weighted by their rows: 0 (calibrated) to 1.

    Guo et al. 2017, eq. (3).
    """
    bins = calibration(probs, label, num_bins)
    gap = np.abs(np.nan_to_num(bins["accuracy"] - bins["confidence"]))
    return float(np.sum(bins["count"] * gap) / max(1, len(label)))


def label_nll(probs, label):
    """Mean −log q(true label | x), in nats. A probability of 0 or NaN costs 87 nats (the smallest float32), not ∞."""
    true = np.nan_to_num(probs[np.arange(len(label)), label].astype(np.float64))
    return float(-np.mean(np.log(np.maximum(true, np.finfo(np.float32).tiny))))


def confusion(probs, label):
    """Counts [K, K]: row is the true class, column the predicted one. Rows with a NaN are in no column."""
    num_classes = probs.shape[1]
    counted = _valid(probs)
    pairs = label[counted] * num_classes + probs[counted].argmax(axis=1)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def applies(model, data, rows):
    """Whether the model classifies, and there are labels to learn from and to compare with."""
    return model.can(Capability.CLASSIFY) and labels.can_compare(data, rows)


def measure(model, data, rows, settings):
    """Classification of labelled rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`; those without a label are left out.
        settings: S and the seed of its draws; `error_s<S>` averages over S above 1.

    Returns:
        {"error" (fraction), "error_s<S>" where S > 1, "ece", "label_nll" (nats), "classified_rows",
        "confusion" [K][K], "calibration": bins}, and "invalid_rows" where probabilities were NaN or infinite.

    Raises:
        ValueError: where no row has a label.
    """
    rows = labels.labelled(rows)
    if not len(rows):
        raise ValueError("No row has a label, so there is no error to count. Evaluate the likelihood instead.")
    probs = probabilities(model, data, rows)
    result = {
        "error": error_rate(probs, rows.label),
        "ece": expected_calibration_error(probs, rows.label),
        "label_nll": label_nll(probs, rows.label),
        "classified_rows": len(rows),
        "confusion": confusion(probs, rows.label).tolist(),
        "calibration": {name: values.tolist() for name, values in calibration(probs, rows.label).items()},
    }
    if settings.num_samples > 1:
        drawn = probabilities(model, data, rows, settings.num_samples, settings.seed)
        result[f"error_s{settings.num_samples}"] = error_rate(drawn, rows.label)
    if not _valid(probs).all():
        result["invalid_rows"] = int((~_valid(probs)).sum())
    return result


def chance_calibration(bins, seed=0, draws=2000):
    """The expected calibration error that nineteen of twenty calibrated models stay below on rows like these.

    Of few rows even a calibrated model shows a gap: in every bin the accuracy of `count` rows scatters about the
    confidence, binomially.

    Args:
        bins: what `calibration` returns.
        seed: of the draws.
        draws: of accuracies in every bin.
    """
    count = np.asarray(bins["count"])
    used = count > 0
    count, confidence = count[used], np.asarray(bins["confidence"], np.float64)[used]
    hits = np.random.default_rng(seed).binomial(count, np.clip(confidence, 0.0, 1.0), (draws, len(count)))
    gaps = np.abs(hits - count * confidence).sum(axis=1) / max(1, count.sum())
    return float(np.quantile(gaps, 0.95))


def headlines(metrics, data):
    """Error, calibration, surprise."""
    told = []
    if metrics.get("error") is not None:
        told.append(_error_headline(metrics, data))
    if metrics.get("ece") is not None:
        meaning = (
            f"How far stated confidence and accuracy are apart on average ({NUM_BINS} bins); 0 % means that of "
            "predictions made with 90 % confidence, 90 % are right."
        )
        told.append(
            Headline("Calibration error", METRICS["ece"].shown(metrics["ece"]), meaning + _by_chance(metrics), 90)
        )
    if metrics.get("label_nll") is not None:
        meaning = (
            "Mean −log probability of the true class. Confident mistakes are what makes it large; guessing among K "
            "classes costs log K."
        )
        told.append(Headline("Surprise at labels", METRICS["label_nll"].shown(metrics["label_nll"], 3), meaning, 100))
    return told


def caveats(metrics, data):
    """Few rows, and confidences that are no probabilities."""
    told = []
    rows = metrics.get("classified_rows")
    if rows and rows < 500:
        told.append(
            f"Only {nouns.counted(rows, data, _labelled(metrics))}: smaller differences than the interval mean nothing."
        )
    if metrics.get("ece") is not None and metrics["ece"] > max(0.1, _chance(metrics)):
        told.append("Confidences are off by more than 10 points on average: do not take them for probabilities.")
    return told


def _labelled(metrics):
    """Which rows were judged, before their noun."""
    return f"labelled {metrics.get(EVALUATED_ROWS, 'test')}"


def _chance(metrics):
    return chance_calibration(metrics["calibration"]) if metrics.get("calibration") else 0.0


def _by_chance(metrics):
    """Whether a calibrated model would look as bad on as many rows; nothing where the bins were not written down."""
    if not metrics.get("calibration"):
        return ""
    chance = _chance(metrics)
    found = "no more than that was found" if metrics["ece"] <= chance else "this is more"
    return f" By chance a calibrated model shows up to {METRICS['ece'].shown(chance)} here: {found}."


def _error_headline(metrics, data):
    rows, percent = metrics["classified_rows"], METRICS["error"].shown
    judged = metrics.get(EVALUATED_ROWS, "test")
    drawn = next((name for name in metrics if name.startswith("error_s")), None)
    extra = f" Averaged over {drawn.removeprefix('error_s')} draws: {percent(metrics[drawn])}." if drawn else ""
    return Headline(
        f"{judged.title()} error",
        percent(metrics["error"]),
        f"{round(metrics['error'] * rows):,} of {nouns.counted(rows, data, judged)} get the wrong class, learned from "
        f"{len(data.labelled):,} labelled of {nouns.counted(data.info.num_train, data, 'training')}.{extra}",
        rank=10,
        spread=intervals.in_words(metrics["error"], rows),
    )


def _valid(probs):
    return np.isfinite(probs).all(axis=1)


def _predicted(probs):
    """[N], the most probable class, or -1 where a probability is NaN: argmax would point at the NaN."""
    return np.where(_valid(probs), np.nan_to_num(probs).argmax(axis=1), -1)


MEASUREMENT = Measurement(applies, measure, headlines, caveats, errors={"error": ""})
