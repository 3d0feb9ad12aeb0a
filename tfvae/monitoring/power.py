"""What a comparison of so many images could have found: the smallest change that a test sees four times of five.

A test that finds nothing says little where it could have found nothing.
"""

import numpy as np
from scipy import special, stats

POWER = 0.8
# In standard deviations; a comparison that misses a shift as large as this says nothing.
WEAK = 0.5
_REPEATS = 200
_MOST = 8.0  # Standard deviations; what needs more is not found at all.
_STEPS = 12
_COUNTS = (25, 50, 100, 200, 400, 800, 1600)


def shift(reference, new, level, seed=0):
    """The smallest shift of a normal distribution that a Kolmogorov–Smirnov test finds four times of five.

    Args:
        reference, new: how many values of each.
        level: of the test, after any correction.
        seed: of the repeats.

    Returns:
        In standard deviations; None where no shift is large enough.
    """
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.normal(size=(_REPEATS, reference))), np.sort(rng.normal(size=(_REPEATS, new)))
    # The asymptotic critical value: kolmogi(α) √((n + m) / n m).
    critical = special.kolmogi(level) * np.sqrt((reference + new) / (reference * new))
    return _smallest(lambda size: np.mean([_distance(a, b + size) > critical for a, b in zip(x, y)]) >= POWER, _MOST)


def share(probs, reference, new, level, seed=0):
    """The smallest share of new images that have to go over to the second commonest class to be found.

    Args:
        probs: [K], shares of the classes in the reference.
        reference, new: how many images of each.
        level: of the test, after any correction.
        seed: of the repeats.

    Returns:
        (fraction, the class); the fraction is None where no share is large enough, or there is one class.
    """
    probs = np.asarray(probs, np.float64) / np.sum(probs)
    if len(probs) < 2:
        return None, 0
    second = int(np.argsort(-probs, kind="stable")[1])
    other, num_null = np.eye(len(probs))[second], int(max(2000, 4 / level))

    def found(moved):
        rng, changed = np.random.default_rng(seed), (1 - moved) * probs + moved * other
        both = (reference * probs + new * changed) / (reference + new)
        # The test divides both samples at random: what it compares with is drawn from their mixture. Counts are whole,
        # so that divergences are often equal, and equal ones count against the test.
        null = _divergences(rng, both, both, reference, new, num_null)
        critical = np.quantile(null, 1.0 - level, method="higher") + 1e-9
        return np.mean(_divergences(rng, probs, changed, reference, new, _REPEATS) > critical) >= POWER

    return _smallest(found, 1.0), second


def _divergences(rng, p, q, reference, new, repeats):
    """Jensen–Shannon divergences (bits) of repeated samples [R]."""
    first, second = rng.multinomial(reference, p, repeats) / reference, rng.multinomial(new, q, repeats) / new
    mixed, of_first, of_second = (stats.entropy(x, base=2, axis=1) for x in ((first + second) / 2, first, second))
    return mixed - (of_first + of_second) / 2


def code_shift(codes, new, null, level):
    """The smallest shift of all codes along their first principal component that the test of codes finds.

    The discrepancy of the codes and the same codes, shifted, has to exceed the critical value by what four of five
    draws need under a normal approximation (Gretton et al. 2012, theorem 12 and corollary 16).

    Args:
        codes: [N, Z] of the reference.
        new: how many new codes there are.
        null: discrepancies of random divisions, as the test drew them.
        level: of the test, after any correction.

    Returns:
        In standard deviations of the codes along that direction; None where no shift is large enough.
    """
    centred = codes - codes.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    step = directions[0] * singular[0] / np.sqrt(len(codes))
    squared = np.sum((centred[:, None] - centred[None]) ** 2, axis=-1)
    bandwidth = 2.0 * max(np.median(squared[~np.eye(len(codes), dtype=bool)]), 1e-12)
    # ‖x − x′ − δ‖² = ‖x − x′‖² − 2 (x − x′)·δ + ‖δ‖².
    along = (centred @ step)[:, None] - (centred @ step)[None]
    within, critical = _means(np.exp(-squared / bandwidth)), np.quantile(null, 1.0 - level)

    def found(size):
        across = _means(np.exp(-(squared - 2.0 * size * along + size**2 * (step @ step)) / bandwidth))
        of_x, of_y = ((here - there).var() for here, there in zip(within, across))
        spread = np.sqrt(np.var(null) + 4.0 * of_x / len(codes) + 4.0 * of_y / new)
        return 2.0 * np.mean(within[0] - across[0]) > critical + special.ndtri(POWER) * spread

    return _smallest(found, _MOST)


def _means(kernel):
    """Means of the lines and of the columns of a kernel, its diagonal left out."""
    off = kernel - np.diag(np.diag(kernel))
    return off.sum(axis=1) / (len(off) - 1), off.sum(axis=0) / (len(off) - 1)


def enough(level):
    """How many images of each find a shift of half a standard deviation; None for more than 1,600."""
    return next((count for count in _COUNTS if (shift(count, count, level) or np.inf) <= WEAK), None)


def _smallest(found, most):
    """Where a search by halves ends between 0 and `most`; None where even that is not found."""
    if not found(most):
        return None
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return float(high)


def _distance(a, b):
    """The Kolmogorov–Smirnov distance of two sorted samples."""
    both = np.concatenate([a, b])
    below = [np.searchsorted(each, both, side="right") / len(each) for each in (a, b)]
    return np.abs(below[0] - below[1]).max()
