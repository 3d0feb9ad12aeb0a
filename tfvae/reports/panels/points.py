"""Samples of a model of points, beside those held out."""

import numpy as np

from tfvae.batch import IMAGE
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels, some_rows

_POINTS = 1000


def draw(model, data, metrics, seed):
    """Both clouds, for data of two dimensions that the model draws."""
    del metrics
    rows = some_rows(data, seed)
    if tuple(data.transform.raw_shape) != (2,) or tuple(model.image_shape) != (2,) or not len(rows):
        return []
    samples = np.asarray(compiled(model, "sample")(_POINTS, noise.seed(seed)))
    caption = "Held-out points, and as many that were invented: means of p(x | z) at draws of the prior."
    return [Panel("Points", caption, figures.two_clouds(np.asarray(rows[IMAGE])[:_POINTS], samples))]


PANELS = Panels("pictures", draw, rank=25)
