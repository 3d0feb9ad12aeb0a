"""Confidence against accuracy."""

from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """Bars of accuracy by confidence, where they were measured."""
    del model, data, seed
    if not metrics.get("calibration"):
        return []
    caption = "Bars below the dashed line: more sure than right. The lower panel counts rows, logarithmically."
    return [Panel("Reliability", caption, figures.reliability(metrics["calibration"]))]


PANELS = Panels("predictions", draw, rank=10)
