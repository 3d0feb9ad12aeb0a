"""How often, and how surely, is the class right?"""

import numpy as np

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation.batched import at_once, chunk_sizes, map_rows
from tfvae.evaluation.compiled import compiled
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


def evaluate(model, data, rows=None, num_samples=1, seed=0, batch_size=500):
    """Classification of labelled rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, by default the test rows; rows without a label are left out.
        num_samples: S; above 1, or for a model with an auxiliary variable, `error_s<S>` averages over S draws.
        seed: of those draws.
        batch_size: rows in one call.

    Returns:
        {"error" (fraction), "error_s<S>" where S > 1, "ece", "label_nll" (nats), "classified_rows",
        "confusion" [K][K], "calibration": bins}, and "invalid_rows" where probabilities were NaN or infinite.

    Raises:
        ValueError: where no row has a label.
    """
    rows = data.test if rows is None else rows
    rows = rows.take(np.flatnonzero(rows.label != NO_LABEL))
    if not len(rows):
        raise ValueError("No row has a label, so there is no error to count. Evaluate the likelihood instead.")
    probs = probabilities(model, data, rows, batch_size=batch_size)
    result = {
        "error": error_rate(probs, rows.label),
        "ece": expected_calibration_error(probs, rows.label),
        "label_nll": label_nll(probs, rows.label),
        "classified_rows": len(rows),
        "confusion": confusion(probs, rows.label).tolist(),
        "calibration": {name: values.tolist() for name, values in calibration(probs, rows.label).items()},
    }
    if num_samples > 1:
        drawn = probabilities(model, data, rows, num_samples, seed, batch_size)
        result[f"error_s{num_samples}"] = error_rate(drawn, rows.label)
    if not _valid(probs).all():
        result["invalid_rows"] = int((~_valid(probs)).sum())
    return result


def _valid(probs):
    return np.isfinite(probs).all(axis=1)


def _predicted(probs):
    """[N], the most probable class, or -1 where a probability is NaN: argmax would point at the NaN."""
    return np.where(_valid(probs), np.nan_to_num(probs).argmax(axis=1), -1)
