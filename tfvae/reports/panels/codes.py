"""Codes of held-out rows, in two dimensions."""

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import representation
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels, some_rows


def draw(model, data, metrics, seed):
    """Codes z, and a where the model has an auxiliary variable."""
    del metrics
    rows, drawn = some_rows(data, seed), []
    if not len(rows):
        return drawn
    if model.can(Capability.ENCODE_AUXILIARY):
        drawn.append(_panel(representation.auxiliary_codes(model, data, rows), rows, data, "a", "figures 2d and 4b"))
    if model.can(Capability.ENCODE):
        note = "the style: the class is for y to carry" if model.can(Capability.ANALOGIES) else "no label was used"
        drawn.append(_panel(representation.codes(model, data, rows), rows, data, "z", note))
    return drawn


def _panel(codes, rows, data, variable, note):
    title = f"Codes: the mean of q({variable} | x)"
    coloured = f", coloured by their true class ({note})" if (rows.label != NO_LABEL).any() else ""
    caption = f"The first two principal components of {len(codes):,} test rows{coloured}."
    return Panel(title, caption, figures.codes_pca(codes, rows.label, data.class_names, title))


PANELS = Panels("inside", draw, rank=20)
