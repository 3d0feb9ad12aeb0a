"""Codes of all rows, in two dimensions."""

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import nouns, representation
from tfvae.reports import code_figures, roles
from tfvae.reports.panel import Panel, Panels

_MOST = 2000  # Of a role.


def draw(model, data, metrics, seed):
    """Codes z, and a where the model has an auxiliary variable."""
    del metrics
    rows, which = roles.together(data, _MOST, seed)
    drawn = []
    if not len(rows):
        return drawn
    if model.can(Capability.ENCODE_AUXILIARY):
        codes = representation.auxiliary_codes(model, data, rows)
        drawn.append(_panel(codes, rows, which, data, "a", "figures 2d and 4b"))
    if model.can(Capability.ENCODE):
        note = "the style: the class is for y to carry" if model.can(Capability.ANALOGIES) else "no label was used"
        drawn.append(_panel(representation.codes(model, data, rows), rows, which, data, "z", note))
    return drawn


def _panel(codes, rows, which, data, variable, note):
    title = f"Codes: the mean of q({variable} | x)"
    every = sum(map(len, roles.of(data).values())) + data.num_streamed
    some = (
        f"{len(codes):,} of {every:,} {nouns.plural(data)}"
        if len(codes) < every
        else f"all {nouns.counted(every, data)}"
    )
    coloured = f"; the colour is the true class, where one is known ({note})" if (rows.label != NO_LABEL).any() else ""
    caption = f"The first two principal components of the codes of {some}, whatever their part in the run{coloured}."
    return Panel(title, caption, code_figures.codes_pca(codes, rows.label, data.class_names, title, which))


PANELS = Panels("inside", draw, rank=20)
