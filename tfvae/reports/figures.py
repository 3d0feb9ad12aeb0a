"""Figures as PNG bytes, in one style. pyplot and its state are never touched, so no figure outlives its function."""

import io
import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from tfvae.evaluation import intervals

# Okabe & Ito 2008: told apart by colour-blind readers too; the last four are ours, for more classes.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#8C8C8C", "#B8A800", "#4B2E1E",
)  # fmt: skip
INK = "#1f2933"
MUTED = "#7b8794"
STYLE = {
    "font.size": 10.0, "font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": MUTED, "axes.titlesize": 11.0, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#e4e7eb", "grid.linewidth": 0.8, "legend.frameon": False, "figure.facecolor": "white",
    "lines.linewidth": 1.8, "figure.dpi": 150,
}  # fmt: skip


def colour(index):
    """The colour of a class or a run."""
    return _COLOURS[index % len(_COLOURS)]


def decision_regions(probabilities, points, labelled, labelled_label, class_names=()):
    """The plane coloured by class, the labelled points on it (Maaløe et al. 2016, figure 2c).

    Args:
        probabilities: function from points [N, 2] to [N, K].
        points: [N, 2] to draw as a faint cloud; they set the window.
        labelled: [L, 2].
        labelled_label: [L].
        class_names: K names for the legend.
    """
    with matplotlib.rc_context(STYLE):
        low, high = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
        wide, tall = high - low
        figure, axes = axes_of(6.4, float(np.clip(0.8 + 4.4 * tall / wide, 2.5, 6.0)), "Decision regions")
        horizontal, vertical = (np.linspace(low[i], high[i], 200, dtype=np.float32) for i in (0, 1))
        plane = np.stack(np.meshgrid(horizontal, vertical), axis=-1)
        probs = np.nan_to_num(probabilities(plane.reshape(-1, 2)))
        num_classes = probs.shape[1]
        which = probs.argmax(axis=1).reshape(plane.shape[:2])
        axes.pcolormesh(
            horizontal, vertical, which, cmap=ListedColormap([colour(k) for k in range(num_classes)]),
            vmin=-0.5, vmax=num_classes - 0.5, alpha=0.28, shading="nearest", rasterized=True,
        )  # fmt: skip
        axes.scatter(*points[:3000].T, s=2, color=MUTED, alpha=0.5, linewidths=0)
        for k in range(num_classes):
            name = class_names[k] if k < len(class_names) else f"class {k}"
            axes.scatter(
                *labelled[labelled_label == k].T, s=70, color=colour(k), edgecolor="black", linewidth=1.5,
                label=f"labelled: {name}", zorder=3,
            )  # fmt: skip
        axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        _legend_outside(axes, num_classes)
        return png(figure)


def captioned(images, captions, columns=3):
    """Images with texts below them.

    Args:
        images: [N, H, W, C] in [0, 1].
        captions: N pairs (what the model says, what people say), "" for nothing.
        columns: images in a line.
    """
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        lines = -(-len(images) // columns)
        # In inches: an image, and up to three lines of text above it and four below.
        width, above, below = 2.4, 0.55, 0.7
        tall = width * images.shape[1] / images.shape[2]
        figure = Figure((width * columns, (tall + above + below) * lines))
        total = figure.get_figheight()
        figure.subplots_adjust(0.01, below / total, 0.99, 1.0 - above / total, 0.04, (above + below) / tall)
        for place, (image, (made, true)) in enumerate(zip(images, captions, strict=True), 1):
            axes = figure.add_subplot(lines, columns, place)
            axes.imshow(np.clip(image, 0.0, 1.0).squeeze(), cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            # A dollar sign is one, and no mathematics.
            axes.set_title(_wrapped(made, 27, 3), fontsize=9, parse_math=False)
            axes.set_xlabel(_wrapped(true, 33, 4), fontsize=8, color=MUTED, parse_math=False)
        return png(figure)


def _wrapped(text, width, most):
    """Up to `most` lines of a text."""
    lines = textwrap.wrap(text, width)
    return "\n".join(lines[:most]) + ("…" if len(lines) > most else "")


def potential(log_density, samples, edge=4.0, title=""):
    """A true density beside the one that was fitted (figures 2a and 2b).

    Args:
        log_density: function from points [N, 2] to unnormalised log densities [N].
        samples: [N, 2] draws of z from the fitted q.
        edge: half the width of the window.
        title: of the target, before "true".
    """
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure((7.6, 3.8), layout="constrained")
        true_axes, fitted_axes = figure.subplots(1, 2, sharex=True, sharey=True)
        line = np.linspace(-edge, edge, 240, dtype=np.float32)
        plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        logs = np.asarray(log_density(plane), np.float64)
        extent = (-edge, edge, -edge, edge)
        true = np.exp(logs - logs.max()).reshape(240, 240)
        true_axes.imshow(true, origin="lower", extent=extent, cmap="magma", interpolation="bilinear")
        window = [[-edge, edge], [-edge, edge]]
        fitted, *_ = np.histogram2d(samples[:, 1], samples[:, 0], bins=80, range=window)
        fitted_axes.imshow(fitted, origin="lower", extent=extent, cmap="magma", interpolation="bilinear")
        true_axes.set_title(f"{title} true density".strip())
        fitted_axes.set_title(f"fitted: {len(samples):,} draws of z")
        for axes in (true_axes, fitted_axes):
            axes.set(xlabel="$z_1$")
        true_axes.set(ylabel="$z_2$")
        return png(figure)


def kl_per_unit(units):
    """Units of every latent variable by their KL from the prior, largest first (figure 4a).

    Args:
        units: variable -> [units], mean over rows, in nats.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((7.0, 2.6 * len(units) + 0.2), layout="constrained")
        for index, (name, values) in enumerate(units.items()):
            axes = figure.add_subplot(len(units), 1, index + 1)
            ordered = np.sort(np.asarray(values))[::-1]
            axes.bar(np.arange(1, len(ordered) + 1), ordered, color=colour(index), width=0.85)
            active = int(np.sum(ordered > 0.01))
            axes.set(title=f"Variable {name}: {active} of {len(ordered)} units carry more than 0.01 nats")
            axes.set(xlabel="unit, by rank", ylabel="KL from the prior [nats]", xlim=(0.3, len(ordered) + 0.7))
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="x", visible=False)
        return png(figure)


def reliability(bins, unit="rows"):
    """Accuracy against confidence with its 95 % interval, beside how many rows have that confidence.

    Args:
        bins: `tfvae.evaluation.classification.calibration`.
        unit: what the rows are.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((4.6, 4.4), layout="constrained")
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        edges, count = np.asarray(bins["edges"]), np.asarray(bins["count"])
        accuracy, confidence = (np.asarray(bins[name], np.float64) for name in ("accuracy", "confidence"))
        centres, width, used = (edges[:-1] + edges[1:]) / 2, np.diff(edges)[0], count > 0
        ends = [intervals.wilson(share * n, n) for share, n in zip(accuracy[used], count[used])]
        reach = np.maximum(
            [accuracy[used] - [low for low, _ in ends], [high for _, high in ends] - accuracy[used]], 0.0
        )
        axes.bar(
            centres[used], accuracy[used], width=0.92 * width, color=colour(0), label="accuracy", yerr=reach,
            ecolor=MUTED, capsize=2,
        )  # fmt: skip
        axes.plot(confidence[used], confidence[used], "o", color=colour(1), markersize=4, label="confidence")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
        axes.set(title="Reliability", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left")
        counts.bar(centres, count, width=0.92 * width, color=MUTED)
        counts.set(xlabel="confidence of the prediction", ylabel=unit, yscale="symlog")
        return png(figure)


def by_layer(errors, chance):
    """Errors of every layer, a line for each of what was asked of it.

    Args:
        errors: name -> {layer: fraction}.
        chance: the error of guessing, a dashed line.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = axes_of(5.6, 3.6, "Errors of linear decoding")
        for i, (name, of_layers) in enumerate(errors.items()):
            axes.plot(range(len(of_layers)), 100 * np.array([*of_layers.values()]), "o-", color=colour(i), label=name)
        axes.axhline(100 * chance, color=MUTED, linewidth=1.0, linestyle="--", label="guessing")
        layers = next(iter(errors.values()))
        axes.set_xticks(range(len(layers)), layers, rotation=30, ha="right")
        axes.set(ylabel="error, %", ylim=(0, 103))
        _legend_outside(axes, len(errors) + 1)
        return png(figure)


def confusion(counts, class_names):
    """Counts of true against predicted classes; the shade is the share of the true class.

    Args:
        counts: [K, K], rows are true classes.
        class_names: K names.
    """
    counts = np.asarray(counts)
    num = len(counts)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        side = min(9.0, 2.2 + 0.36 * num)
        figure, axes = axes_of(side + 0.4, side, "Confusion")
        share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
        if num <= 20:
            for i, j in np.argwhere(counts > 0):
                ink = "white" if share[i, j] > 0.55 else INK
                axes.text(j, i, counts[i, j], ha="center", va="center", color=ink, fontsize=8)
        names = [str(name)[:14] for name in class_names] if num <= 40 else [""] * num
        upright = max((len(name) for name in names), default=0) > 3
        axes.set_xticks(range(num), names, rotation=90 if upright else 0)
        axes.set_yticks(range(num), names)
        axes.tick_params(length=0)
        axes.set(xlabel="predicted class", ylabel="true class")
        return png(figure)


def errors(rivals, ours):
    """Errors as bars, ours in another colour, their 95 % intervals as whiskers.

    Args:
        rivals: name -> (error, (low, high)), fractions; ours included.
        ours: the names to point out.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = axes_of(6.4, 0.9 + 0.42 * len(rivals), "Error on the same labels, 95 % intervals")
        names = sorted(rivals, key=lambda name: rivals[name][0], reverse=True)
        means = [100.0 * rivals[name][0] for name in names]
        ends = 100.0 * np.array([rivals[name][1] for name in names]).T
        reach = np.maximum([means - ends[0], ends[1] - means], 0.0)
        shades = [colour(0) if name in ours else "#cbd2d9" for name in names]
        axes.barh(names, means, xerr=reach, color=shades, ecolor=INK, capsize=3)
        for row, (mean, end) in enumerate(zip(means, ends[1], strict=True)):
            axes.annotate(f"{mean:.1f} %", (end, row), xytext=(6, 0), textcoords="offset points", va="center")
        axes.set(xlabel="error [%]", xlim=(0, 1.18 * ends[1].max() or 1.0))
        axes.grid(axis="y", visible=False)
        return png(figure)


def two_histograms(reference, new, title, unit, bins=30):
    """Shares of two samples in the same bins.

    Args:
        reference, new: [N], [M].
        title: of the picture.
        unit: of the horizontal axis.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = axes_of(5.2, 3.2, title)
        edges = np.histogram_bin_edges(np.concatenate([reference, new]), bins)
        for index, (name, values) in enumerate((("training data", reference), ("new images", new))):
            weights = np.full(len(values), 1.0 / len(values))
            axes.hist(values, edges, weights=weights, alpha=0.55, color=colour(index), label=name)
        axes.set_xlabel(unit)
        axes.set_ylabel("share of the images")
        axes.legend()
        return png(figure)


def two_shares(reference, new, num_reference, num_new, names, title, most=20):
    """Shares of classes in two samples with their 95 % intervals, the largest differences first.

    Args:
        reference, new: [K], fractions.
        num_reference, num_new: how many they were counted on.
        names: K, or none.
        title: of the picture.
        most: classes that are drawn.
    """
    reference, new = np.asarray(reference), np.asarray(new)
    order = np.argsort(-np.abs(new - reference), kind="stable")[:most][::-1]
    with matplotlib.rc_context(STYLE):
        figure, axes = axes_of(5.2, 1.2 + 0.42 * len(order), title)
        pair = ((0.2, "training data", reference, num_reference), (-0.2, "new images", new, num_new))
        for index, (offset, label, shares, num) in enumerate(pair):
            ends = np.array([intervals.wilson(shares[k] * num, num) for k in order]).T
            reach = 100.0 * np.maximum([shares[order] - ends[0], ends[1] - shares[order]], 0.0)
            axes.barh(
                np.arange(len(order)) + offset, 100.0 * shares[order], 0.38, color=colour(index), alpha=0.7,
                label=label, xerr=reach, ecolor=INK, capsize=2,
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [str(names[k])[:20] if k < len(names) else str(k) for k in order])
        axes.set_xlabel("share of the images [%]")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower right", fontsize=8)
        return png(figure)


def two_clouds(points, samples):
    """Points of the plane and samples of them, side by side on the same axes.

    Args:
        points, samples: [N, 2], [M, 2].
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((7.2, 3.6), layout="constrained")
        for index, (axes, title, of) in enumerate(
            zip(figure.subplots(1, 2, sharex=True, sharey=True), ("data", "samples"), (points, samples))
        ):
            axes.scatter(*np.asarray(of).T, s=4, color=colour(index), linewidths=0)
            axes.set_title(title)
            axes.set_aspect("equal", adjustable="datalim")
        return png(figure)


def axes_of(width, height, title):
    """A figure of that size in inches and its only axes."""
    figure = Figure((width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _legend_outside(axes, num_entries):
    if num_entries <= 20:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=1.0, handletextpad=0.3)


def png(figure):
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
