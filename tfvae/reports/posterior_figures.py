"""Figures of posteriors beside what was fitted to them, as PNG bytes in the style of `figures`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfvae.reports import figures


def planes(points):
    """A line for every data point, a column for the posterior and every fit: histograms of draws in the plane.

    Args:
        points: title of the line -> {name of the column: draws [S, 2]}, the posterior first.
    """
    with matplotlib.rc_context({**figures.STYLE, "axes.grid": False}):
        columns = list(next(iter(points.values())))
        figure = Figure((2.7 * len(columns) + 0.8, 2.7 * len(points)), layout="constrained")
        grid = figure.subplots(len(points), len(columns), squeeze=False)
        for line, (title, draws) in zip(grid, points.items()):
            together = np.concatenate(list(draws.values()))
            # Both axes of one length, so that a circle is one.
            low, high = np.quantile(together, 0.001, axis=0), np.quantile(together, 0.999, axis=0)
            centre, reach = (low + high) / 2, 0.6 * (high - low).max()
            window = np.stack([centre - reach, centre + reach], axis=-1)
            for axes, name in zip(line, columns):
                counts, *_ = np.histogram2d(draws[name][:, 1], draws[name][:, 0], bins=60, range=window[::-1])
                axes.imshow(
                    counts,
                    origin="lower",
                    extent=window.ravel(),
                    cmap="magma",
                    interpolation="bilinear",
                )
            line[0].set_ylabel(title, fontsize=9)
        for axes, name in zip(grid[0], columns):
            axes.set_title(name)
        return figures.png(figure)


def corner(draws, labels):
    """Marginals on the diagonal and pairs below it, one colour a method.

    Args:
        draws: name of the method -> [S, D].
        labels: of the D dimensions.
    """
    with matplotlib.rc_context(figures.STYLE):
        dims = len(labels)
        figure = Figure((2.0 * dims, 2.0 * dims), layout="constrained")
        grid = figure.subplots(dims, dims, squeeze=False)
        first = next(iter(draws.values()))
        low, high = np.minimum(0.0, first.min(axis=0)), 1.15 * np.quantile(first, 0.998, axis=0)
        for i in range(dims):
            for j in range(dims):
                axes = grid[i, j]
                axes.tick_params(labelsize=7)
                if j > i:
                    axes.set_visible(False)
                    continue
                axes.set_xlim(low[j], high[j])
                for number, (name, drawn) in enumerate(draws.items()):
                    if i == j:
                        axes.hist(
                            drawn[:, i], bins=30, range=(low[i], high[i]), density=True, histtype="step", linewidth=1.5,
                            color=figures.colour(number), label=name,
                        )  # fmt: skip
                    else:
                        axes.scatter(
                            drawn[:400, j], drawn[:400, i], s=3, color=figures.colour(number), alpha=0.4, linewidths=0
                        )
                        axes.set_ylim(low[i], high[i])
                if i == j:
                    axes.set_title(labels[i], fontsize=8)
                    axes.set_yticks([])
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="upper right")
        return figures.png(figure)


def against_time(groups):
    """Negative log-likelihood against training and evaluation time, a point for every number of particles.

    Args:
        groups: (particles, nats, training seconds, evaluation seconds) of every run.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure((7.6, 3.4), layout="constrained")
        both = figure.subplots(1, 2, sharey=True)
        for axes, place, title in zip(both, (2, 3), ("training [s]", "evaluation [s]")):
            axes.plot([run[place] for run in groups], [run[1] for run in groups], "o-", color=figures.colour(0))
            for run in groups:
                axes.annotate(f"{run[0]}", (run[place], run[1]), xytext=(5, 5), textcoords="offset points")
            axes.set(xlabel=title, xscale="log")
        both[0].set(ylabel="−log p(x) [nats]", title="Particles of the parameters")
        return figures.png(figure)
