"""How near is q(z | x) to the posterior, where that is known or can be sampled?"""

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation.batched import subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import shown
from tfvae.probability import noise

_CELLS = 12  # Along every axis: enough to tell two modes apart, few enough to be filled by some thousand draws.
_ROWS = 10


def draws(model, data, rows, num, seed=0):
    """Draws of the posterior and of q(z | x), both [num, N, Z], in the terms that the network compares them in.

    Args:
        model, data: a model whose posterior is known, and its data.
        rows: `Examples`, few.
        num: draws a row.
        seed: of both.
    """
    network, counts = model.config.network, data.observe(rows)
    true = model.posterior_draws(counts, num, seed)
    fitted = compiled(model, "codes")(counts, num_samples=num, seed=noise.seed(seed))
    return true, np.asarray(network.compared(fitted))


def applies(model, data, rows):
    """Whether the posterior is known or can be sampled, and there are rows."""
    del data
    return model.can(Capability.POSTERIOR) and len(rows) > 0


def measure(model, data, rows, settings, num=0):
    """The distance of q(z | x) from the posterior.

    Args:
        model, data: a model whose posterior is known, and its data.
        rows: `Examples`, of which a few are chosen by the seed.
        settings: the seed of choice and draws.
        num: draws of both a row; 0 for as many as the network proposes.

    Returns:
        {"posterior_distance": the total variation between histograms of the posterior's and of q's draws (of both
        dimensions together where there are two, otherwise the mean over dimensions), the mean over rows, 0 to 1;
        "posterior_distance_floor": the same between two halves of the posterior's draws: what counting costs;
        "posterior_sd_ratio": the median over rows and dimensions of q's standard deviation over the posterior's;
        "posterior_rows"}.
    """
    rows = subset(rows, _ROWS, settings.seed)
    true, fitted = draws(model, data, rows, num or model.config.network.posterior_draw_count(), settings.seed)
    first, second = np.split(true[: 2 * (len(true) // 2)], 2)
    ratios = fitted.std(axis=0) / np.maximum(true.std(axis=0), 1e-12)
    return {
        "posterior_distance": float(np.mean([total_variation(*pair) for pair in _pairs(true, fitted)])),
        "posterior_distance_floor": float(np.mean([total_variation(*pair) for pair in _pairs(first, second)])),
        "posterior_sd_ratio": float(np.median(ratios)),
        "posterior_rows": len(rows),
    }


def total_variation(true, other):
    """½ Σ |p − q| over cells that the first of two sets of draws, [S, D] and [S', D], fills equally on each axis."""
    cells = [], []
    for axis in range(true.shape[1]):
        edges = np.quantile(true[:, axis], np.linspace(0.0, 1.0, _CELLS + 1)[1:-1])
        for kept, drawn in zip(cells, (true, other)):
            kept.append(np.searchsorted(edges, drawn[:, axis]))
    shape = (_CELLS,) * true.shape[1]
    p, q = (np.bincount(np.ravel_multi_index(of, shape), minlength=_CELLS ** len(shape)) / len(of[0]) for of in cells)
    return 0.5 * float(np.abs(p - q).sum())


def _pairs(true, other):
    """Of every row, both dimensions together where there are two, otherwise each by itself."""
    for row in range(true.shape[1]):
        if true.shape[2] == 2:
            yield true[:, row], other[:, row]
        else:
            yield from ((true[:, row, [v]], other[:, row, [v]]) for v in range(true.shape[2]))


def headlines(metrics, data):
    """The distance beside that of counting, and the width of q."""
    del data
    if metrics.get("posterior_distance") is None:
        return []
    meaning = (
        "The share of draws that would have to move for q(z | x) to be the true posterior, from histograms of both; "
        f"between two halves of the posterior's own draws it is {shown(metrics['posterior_distance_floor'], '%')}. "
        f"q's standard deviations are {metrics['posterior_sd_ratio']:.2f} of the posterior's (median)."
    )
    return [Headline("Distance from the posterior", shown(metrics["posterior_distance"], "%"), meaning, rank=80)]


MEASUREMENT = Measurement(applies, measure, headlines)
