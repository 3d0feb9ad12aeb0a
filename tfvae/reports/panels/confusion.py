"""True against predicted classes."""

import numpy as np

from tfvae.evaluation import nouns
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """The confusion matrix, where it was measured."""
    del model, seed
    if not metrics.get("confusion"):
        return []
    counts = np.asarray(metrics["confusion"])
    return [Panel("Confusion", _worst_pair(counts, data), figures.confusion(counts, data.class_names))]


def _worst_pair(counts, data):
    """Which class was taken for which other one most often, in words."""
    names = data.class_names
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.sum():
        return f"None of {nouns.counted(int(counts.sum()), data)} was misclassified."
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    missed, of = wrong[true, predicted], counts[true].sum()
    return f"Most often {names[true]} was taken for {names[predicted]}: {missed:,} of {of:,} {nouns.plural(data)}."


PANELS = Panels("predictions", draw, rank=20)
