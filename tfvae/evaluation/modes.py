"""Which modes of a mixture of points do samples find?"""

import numpy as np

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import nouns
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import shown
from tfvae.probability import noise

_SAMPLES = 2500
# A sample is of a mode within so many of its standard deviations.
_REACH = 3.0
# Of its share of all samples, what a mode must have to count as found.
_LEAST_SHARE = 0.2


def applies(model, data, rows):
    """Whether rows are points of the plane whose label is their mode, which the model did not see."""
    points = nouns.noun(data) == "point" and model.can(Capability.SAMPLE)
    labelled = len(rows) > 0 and (rows.label != NO_LABEL).all() and len(data.class_names) > 1
    return points and labelled and not model.can(Capability.CLASSIFY)


def measure(model, data, rows, settings):
    """Samples by the nearest mean of the rows of a label.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: the seed.

    Returns:
        {"modes_found": that have a fifth of their share of 2,500 samples, "modes": that there are, "in_modes": the
        share of samples within three standard deviations of a mode}.
    """
    points, num = np.asarray(rows[IMAGE], np.float64), len(data.class_names)
    centres = np.stack([points[rows.label == k].mean(axis=0) for k in range(num)])
    scale = np.sqrt(np.mean((points - centres[rows.label]) ** 2))
    drawn = np.asarray(compiled(model, "sample")(_SAMPLES, noise.seed(settings.seed)))
    distance = np.linalg.norm(drawn[:, None] - centres, axis=-1)
    inside = distance.min(axis=1) <= _REACH * scale
    counts = np.bincount(distance.argmin(axis=1)[inside], minlength=num)
    return {
        "modes_found": int((counts >= _LEAST_SHARE * _SAMPLES / num).sum()),
        "modes": num,
        "in_modes": float(inside.mean()),
    }


def headlines(metrics, data):
    """Modes found, of how many."""
    del data
    if metrics.get("modes_found") is None:
        return []
    meaning = (
        f"Modes that get a fifth of their share of {_SAMPLES:,} samples. {shown(metrics['in_modes'], '%')} of these "
        "lie within three standard deviations of one."
    )
    return [Headline("Modes found", f"{metrics['modes_found']} of {metrics['modes']}", meaning, rank=56)]


def caveats(metrics, data):
    """That modes are missing."""
    del data
    if metrics.get("modes_found") is None or metrics["modes_found"] == metrics["modes"]:
        return []
    return [f"Samples miss {metrics['modes'] - metrics['modes_found']} of {metrics['modes']} modes of the data."]


MEASUREMENT = Measurement(applies, measure, headlines, caveats)
