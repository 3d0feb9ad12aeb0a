"""The new images that are most unlike those of training, each with what is strange about it."""

from typing import NamedTuple

import numpy as np

_NEIGHBOURS = 5
_RANGE = (5, 95)  # Percentiles: what is usual.
DISTANCE = "distance of the code"
_UPWARDS = (DISTANCE,)  # What is strange when it is large, and only then.


class Strange(NamedTuple):
    """An image by its number, and the measure by which it stands out most.

    usual: the range in which 9 of 10 reference images lie.
    """

    number: int
    measure: str
    value: float
    usual: tuple[float, float]


def strangest(measured, most=12):
    """The new images that lie farthest from the reference by any measure, the strangest first.

    How far is told in units of the usual range, so that measures can be compared; a value that is not finite is the
    strangest of all.

    Args:
        measured: name -> (values of the reference [N], values of the new images [M]).
        most: images.

    Returns:
        list of `Strange`.
    """
    names = list(measured)
    far = np.stack([_far(name, *measured[name]) for name in names])  # [measures, M]
    chosen = np.argsort(-far.max(axis=0), kind="stable")[:most]
    return [_strange(int(i), names[int(far[:, i].argmax())], measured) for i in chosen]


def code_distances(reference, new):
    """([N], [M]): the distance of a code to its fifth-nearest reference code, itself not counted."""
    nth = min(_NEIGHBOURS, len(reference) - 1)
    own = np.sort(_distances(reference, reference), axis=1)[:, nth]  # The nearest is itself.
    return own, np.sort(_distances(new, reference), axis=1)[:, nth - 1]


def _distances(x, y):
    squared = np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1)[None] - 2.0 * x @ y.T
    return np.sqrt(np.maximum(squared, 0.0))


def _far(name, reference, new):
    """How far from the reference's median, in units of its usual range on that side, which may be skewed."""
    reference = reference[np.isfinite(reference)]
    low, median, high = np.percentile(reference, [_RANGE[0], 50, _RANGE[1]]) if len(reference) else (0.0, 0.0, 0.0)
    above, below = (new - median) / max(high - median, 1e-9), (median - new) / max(median - low, 1e-9)
    far = above if name in _UPWARDS else np.maximum(above, below)
    return np.where(np.isfinite(new), far, np.inf)


def _strange(number, name, measured):
    reference, new = measured[name]
    reference = reference[np.isfinite(reference)]
    usual = tuple(float(end) for end in np.percentile(reference, _RANGE)) if len(reference) else (np.nan, np.nan)
    return Strange(number, name, float(new[number]), usual)
