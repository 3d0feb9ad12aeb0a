"""Confidence against accuracy."""

from tfvae.evaluation import nouns
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """Bars of accuracy by confidence, where they were measured."""
    del model, seed
    if not metrics.get("calibration"):
        return []
    unit = nouns.plural(data)
    caption = (
        "Bars below the dashed line: more sure than right, where the 95\N{NO-BREAK SPACE}% interval ends below it too. "
        f"The lower panel counts {unit}, logarithmically."
    )
    return [Panel("Reliability", caption, figures.reliability(metrics["calibration"], unit))]


PANELS = Panels("predictions", draw, rank=10)
