"""Codes in the plane, as PNG bytes in the style of `figures`."""

import matplotlib
import numpy as np
from matplotlib.lines import Line2D

from tfvae.data.entries.label import NO_LABEL
from tfvae.reports import figures

# Of a role in a picture of codes: marker, area, opacity, width of the rim.
_MARKS = {
    "unlabelled": ("o", 0.6, 0.35, 0.0), "labelled": ("o", 1.3, 0.95, 0.8), "validation": ("^", 1.5, 0.9, 0.0),
    "test": ("s", 1.3, 0.9, 0.0),
}  # fmt: skip


def codes_pca(codes, label, class_names, title="Codes", roles=None):
    """The first two principal components of codes: the colour tells the class, the mark the role (figures 2d and 4b).

    Args:
        codes: [N, Z].
        label: [N], `NO_LABEL` where unknown.
        class_names: K names.
        title: above the axes.
        roles: [N] of `unlabelled`, `labelled`, `validation`, `test`; by default all `test`.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = figures.axes_of(6.4, 4.8, title)
        projected, share = principal_components(codes)
        roles = np.full(len(codes), "test") if roles is None else np.asarray(roles)
        classes = [k for k in np.unique(label) if k >= 0]
        size = 14 if len(codes) < 1500 else 6
        for role, (marker, area, alpha, rim) in _MARKS.items():
            for k in (NO_LABEL, *classes):
                points = projected[(roles == role) & (label == k)]
                axes.scatter(
                    *points.T, s=area * size, marker=marker, color=_ink(k), alpha=alpha, linewidths=rim,
                    edgecolors=figures.INK,
                )  # fmt: skip
        axes.set(xlabel=f"first component ({share[0]:.0%} of the variance)")
        axes.set(ylabel=f"second component ({share[1]:.0%})")
        names = {k: class_names[k] if k < len(class_names) else str(k) for k in classes}
        handles = [*_class_handles(names, (label == NO_LABEL).any()), *_role_handles(roles)]
        if handles:
            axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3, fontsize=9)
        return figures.png(figure)


def _ink(k):
    return figures.MUTED if k == NO_LABEL else figures.colour(k)


def _class_handles(names, some_without):
    """Colours; of very many classes none."""
    if len(names) > 20:
        return []
    names = names | ({NO_LABEL: "no label"} if some_without else {})
    return [Line2D([], [], linestyle="", marker="o", color=_ink(k), label=name) for k, name in names.items()]


def _role_handles(roles):
    """Marks and how many there are, where there are several."""
    there = [role for role in _MARKS if (roles == role).any()]
    return [
        Line2D(
            [], [], linestyle="", marker=_MARKS[role][0], color="#cbd2d9", markeredgecolor=figures.INK,
            markeredgewidth=_MARKS[role][3] + 0.2, markersize=5, label=f"{role} ({int((roles == role).sum()):,})",
        )
        for role in there if len(there) > 1
    ]  # fmt: skip


def two_clouds(reference, new, title):
    """Points of two samples in one plane.

    Args:
        reference, new: [N, 2], [M, 2].
        title: of the picture.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = figures.axes_of(5.2, 4.2, title)
        for index, (label, points) in enumerate((("training data", reference), ("new images", new))):
            axes.scatter(*points.T, s=12, color=figures.colour(index), alpha=0.55, linewidths=0, label=label)
        axes.set(xlabel="first component of both", ylabel="second component")
        axes.legend(fontsize=8)
        return figures.png(figure)


def principal_components(codes):
    """Projections [N, 2] on the first two principal components, and their shares of the variance [2]."""
    centred = np.nan_to_num(codes - codes.mean(axis=0))
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    projected, power = centred @ directions[:2].T, singular**2
    if projected.shape[1] < 2:
        projected, power = np.pad(projected, [(0, 0), (0, 1)]), np.pad(power, (0, 1))
    return projected, power[:2] / max(power.sum(), 1e-12)
