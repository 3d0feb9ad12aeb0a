"""True against predicted classes."""

import numpy as np

from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """The confusion matrix, where it was measured."""
    del model, seed
    if not metrics.get("confusion"):
        return []
    counts = np.asarray(metrics["confusion"])
    return [Panel("Confusion", _worst_pair(counts, data.class_names), figures.confusion(counts, data.class_names))]


def _worst_pair(counts, names):
    """Which class was taken for which other one most often, in words."""
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.sum():
        return "Not one test row was misclassified."
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    share = wrong[true, predicted] / max(1, counts[true].sum())
    return (
        f"Most often a {names[true]} was taken for a {names[predicted]}: {wrong[true, predicted]} times, "
        f"{share:.0%} of its class."
    )


PANELS = Panels("predictions", draw, rank=20)
