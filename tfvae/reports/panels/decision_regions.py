"""The predicted class of every point of a plane."""

from tfvae.capabilities import Capability
from tfvae.evaluation.compiled import compiled
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels, some_rows


def draw(model, data, metrics, seed):
    """The plane of points, for models that classify these."""
    del metrics
    rows = some_rows(data, seed)
    if not (len(rows) and data.transform.raw_shape == (2,) and model.can(Capability.CLASSIFY)):
        return []
    classify = compiled(model, "classify")
    drawn = figures.decision_regions(
        lambda points: classify(data.transform.observe(points)).numpy(),
        rows.image, data.labelled.image, data.labelled.label, data.class_names,
    )  # fmt: skip
    caption = (
        "The predicted class of every point of the plane; test points grey, labelled points with a rim (figure 2c)."
    )
    return [Panel("Decision regions", caption, drawn)]


PANELS = Panels("inside", draw, rank=10)
