"""How sure is an error that was counted on so many images? Intervals of shares, and of the difference of two."""

import math

from tfvae.evaluation import labels
from tfvae.evaluation.measurement import EVALUATED_ROWS
from tfvae.metrics import METRICS

_Z = 1.96  # Of 95 %.


def wilson(hits, rows, z=_Z):
    """The 95 % interval of a share that was counted on so many rows: (low, high), fractions.

    Wilson 1927; it stays inside 0..1 and is right for few hits, where mean ± 2 standard errors is not.

    Args:
        hits: how many of the rows; need not be whole, as a mean over draws of labels is not.
        rows: at least 1.
        z: quantile of the standard normal.
    """
    rate, square = hits / rows, z**2 / rows
    centre = (rate + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(rate * (1 - rate) / rows + square / (4 * rows))
    return max(0.0, centre - half), min(1.0, centre + half)


def difference(share, other, rows, z=_Z):
    """The 95 % interval of `share − other`, both counted on so many rows: (low, high).

    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10. Two models that
    are judged on the same rows often err on the same ones, so their difference is mostly surer than this says.
    """
    (low, high), (other_low, other_high) = (wilson(each * rows, rows, z) for each in (share, other))
    gap = share - other
    return (
        gap - math.hypot(share - low, other_high - other),
        gap + math.hypot(high - share, other - other_low),
    )


def judged(metrics, data):
    """On how many rows errors were counted: those with a label.

    Args:
        metrics: of a run, maybe by a version that did not write the number down for every model.
        data: `tfvae.data.load.Data`.
    """
    if metrics.get("classified_rows"):
        return metrics["classified_rows"]
    return len(labels.labelled(data.validation if metrics.get(EVALUATED_ROWS) == "validation" else data.test))


def in_words(error, rows):
    """The interval of an error: "95 % interval 33.2 % to 76.9 %"; nothing where it was counted on no row."""
    if not rows:
        return ""
    low, high = (METRICS["error"].shown(end) for end in wilson(error * rows, rows))
    return f"95\N{NO-BREAK SPACE}% interval {low} to {high}"
