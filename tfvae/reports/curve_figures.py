"""Metrics against epochs, as PNG bytes in the style of `figures`."""

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tfvae.evaluation import intervals
from tfvae.reports import figures

_MARKERS = "os^Dv<>pP*X"


class Line(NamedTuple):
    """A metric of one run by epoch.

    validation: (epochs, values); of rows that are held out.
    training:   the same of the training rows; maybe ([], []).
    judged:     the epoch whose weights are measured; 0 where nobody knows.
    rows:       labelled validation rows behind an error, for its interval; 0 for none.
    """

    validation: tuple[list[int], list[float]]
    training: tuple[list[int], list[float]] = ([], [])
    judged: int = 0
    rows: int = 0


def curves(runs, metric, title):
    """A metric against epochs, a colour for every run (figure 5): validation solid, training dashed, the judged epoch
    a dotted line.

    Args:
        runs: name -> `Line`.
        metric: `tfvae.metrics.Metric`; its values are shown in its unit.
        title: above the axes.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = figures.axes_of(6.4, 3.4, title)
        percent = metric.unit == "%"
        for index, (name, line) in enumerate(runs.items()):
            _draw_line(
                axes, line, 100.0 if percent else 1.0, figures.colour(index), f"{name}: " if len(runs) > 1 else ""
            )
        axes.set(xlabel="epoch", ylabel=f"{metric.name.replace('_', ' ')} [{metric.unit}]")
        if percent:
            axes.set_ylim(bottom=0.0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
        return figures.png(figure)


def _draw_line(axes, line, scale, ink, prefix):
    """One run's line; the interval of an error is shaded."""
    for kind, (epochs, values), style in (
        ("validation", line.validation, "-"),
        ("training", line.training, "--"),
    ):
        if epochs:
            marker = "o" if len(epochs) < 4 else None
            shown = scale * np.asarray(values, np.float64)
            axes.plot(epochs, shown, style, color=ink, label=f"{prefix}{kind}", marker=marker, markersize=4)
    if line.rows and line.validation[0]:
        low, high = np.array([intervals.wilson(value * line.rows, line.rows) for value in line.validation[1]]).T
        axes.fill_between(line.validation[0], scale * low, scale * high, color=ink, alpha=0.15, linewidth=0)
    if line.judged:
        axes.axvline(
            line.judged, color=ink, linestyle=":", linewidth=1.2, label=f"{prefix}judged: epoch {line.judged:,}"
        )


def against_time(panels):
    """Errors against times, a point for every way, the same colour in all panels.

    Args:
        panels: (title of the times, title of the errors) -> {way: (time, error)}.
    """
    ways = list(dict.fromkeys(way for points in panels.values() for way in points))
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure((4.6 * len(panels), 3.8), layout="constrained")
        every = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, ((time, error), points) in zip(every, panels.items()):
            for way, (seconds, value) in points.items():
                ink = figures.colour(ways.index(way))
                axes.plot([seconds], [value], _MARKERS[ways.index(way) % len(_MARKERS)], color=ink, label=way)
            axes.set(xlabel=time, ylabel=error, xscale="log")
            axes.set_ylim(bottom=0.0)
            first, last = axes.get_xlim()
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("{x:g}" if last < 10.0 * first else NullFormatter())
        handles, names = every[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8)
        return figures.png(figure)
