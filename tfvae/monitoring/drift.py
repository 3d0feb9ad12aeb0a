"""Have the images changed since training? Gray levels, codes and bounds against those of the training data."""

import numpy as np
from scipy import stats

from tfvae.batch import IMAGE
from tfvae.monitoring import served

_PERMUTATIONS = 2000
_FEWEST = 10  # Images of which a distribution can be said to be another.


def measure(model, reference, source, num=500, seed=0):
    """Compares images with those that a model was made for.

    Args:
        model: a version, or a base path whose newest one is taken.
        reference: shards of the training data; their validation and test rows are read, which no run trained on, so
            that an overfitted model does not see drift in everything new.
        source: a folder of the images in question, or shards.
        num, seed: images drawn from each.

    Returns:
        {"model", "images": counts, "tests"}. Of "brightness" and "contrast" (mean and standard deviation of an image's
        gray levels; of every modality) and of "bound" (nats) the means of both and the p-value of a Kolmogorov-Smirnov
        test; of "codes" the squared maximum mean discrepancy (RBF kernel, median bandwidth) with the p-value of a
        permutation test (Gretton et al. 2012, sections 2 and 4); of "classes" the Jensen-Shannon divergence (bits) of
        the predicted ones with the p-value of such a test.

    Raises:
        ValueError: for a model, a reference or a source that is none.
    """
    version = served.Served(model)
    both = (
        served.sample(reference, version.shapes, num, seed, ("validation", "test")),
        served.sample(source, version.shapes, num, seed),
    )
    counts = [len(next(iter(images.values()))) for images in both]
    if min(counts) < _FEWEST:
        raise ValueError(f"Both need {_FEWEST} images at least, there are {counts[0]} and {counts[1]}.")
    rng = np.random.default_rng(seed)
    found = {"images": {"reference": counts[0], "new": counts[1]}, "model": str(version.version), "tests": {}}
    for image in version.shapes:
        for name, statistic in (("brightness", np.mean), ("contrast", np.std)):
            of_image = name if image == IMAGE else f"{name} of {image}"
            found["tests"][of_image] = _scalar(*(statistic(images[image], axis=(1, 2, 3)) for images in both))
    if version.compares("score"):
        found["tests"]["bound"] = _scalar(*(version.of_images("score", "bound", images) for images in both))
    if version.compares("encode"):
        codes = [version.of_images("encode", "mean", images) for images in both]
        found["tests"]["codes"] = discrepancy(*codes, rng)
    if version.compares("classify"):
        probs = [version.of_images("classify", "probabilities", images) for images in both]
        found["tests"]["classes"] = divergence(*(p.argmax(axis=-1) for p in probs), probs[0].shape[-1], rng)
    return found


def drifted(found, level=0.01):
    """Names of the tests that find another distribution, Bonferroni's correction applied: `level` for all together."""
    tests = found["tests"]
    return [name for name, test in tests.items() if not test["p_value"] >= level / len(tests)]


def discrepancy(x, y, rng, permutations=_PERMUTATIONS):
    """Squared maximum mean discrepancy of two samples, and how often a random division of both has a larger one.

    Args:
        x: [N, Z]; y: [M, Z].
        rng: NumPy's generator.
        permutations: random divisions.

    Returns:
        {"mmd2", "p_value"}. The unbiased estimate, which may be below 0 (Gretton et al. 2012, eq. 3).
    """
    both = np.concatenate([x, y]).astype(np.float64)
    norms = np.sum(both**2, axis=-1)
    squared = np.maximum(norms[:, None] + norms[None] - 2.0 * both @ both.T, 0.0)
    median = np.median(squared[np.triu_indices(len(both), 1)])
    kernel = np.exp(-squared / (2.0 * max(median, 1e-12)))
    observed = _mmd2(kernel, np.arange(len(both)) < len(x))
    drawn = [_mmd2(kernel, rng.permutation(len(both)) < len(x)) for _ in range(permutations)]
    return {"mmd2": float(observed), "p_value": _share(drawn, observed)}


def divergence(x, y, num_classes, rng, permutations=_PERMUTATIONS):
    """Jensen-Shannon divergence (bits) of the classes of two samples, and the same permutation test."""
    both, first = np.concatenate([x, y]), np.arange(len(x) + len(y)) < len(x)
    observed = _jensen_shannon(both, first, num_classes)
    drawn = [_jensen_shannon(both, rng.permutation(first), num_classes) for _ in range(permutations)]
    reference, new = ((np.bincount(of, minlength=num_classes) / len(of)).tolist() for of in (x, y))
    return {"divergence": float(observed), "p_value": _share(drawn, observed), "reference": reference, "new": new}


def _scalar(reference, new):
    """Means, and the test; a value that is not finite, as a bound may be, is a change by itself (its p-value is 0)."""
    finite = np.isfinite(new).all()
    reference, new = (values[np.isfinite(values)] for values in (reference, new))
    if not len(new) or not len(reference):
        return {"reference_mean": np.nan, "new_mean": np.nan, "statistic": np.nan, "p_value": 0.0, "values": None}
    test = stats.ks_2samp(reference, new)
    values = {"reference": reference.astype(float).tolist(), "new": new.astype(float).tolist()}
    return {
        "reference_mean": float(np.mean(reference)), "new_mean": float(np.mean(new)),
        "statistic": float(test.statistic), "p_value": float(test.pvalue) if finite else 0.0, "values": values,
    }  # fmt: skip


def _mmd2(kernel, first):
    """The unbiased estimate; `first` says which rows are of the first sample."""
    n, m = int(first.sum()), int((~first).sum())
    to_first, diagonal = kernel @ first, np.diag(kernel)
    within = to_first @ first
    across = to_first.sum() - within
    within_second = kernel.sum() - within - 2.0 * across
    of_first = (within - diagonal @ first) / (n * (n - 1))
    of_second = (within_second - diagonal @ ~first) / (m * (m - 1))
    return of_first + of_second - 2.0 * across / (n * m)


def _jensen_shannon(classes, first, num_classes):
    p, q = (np.bincount(classes[rows], minlength=num_classes) / rows.sum() for rows in (first, ~first))
    return stats.entropy((p + q) / 2, base=2) - (stats.entropy(p, base=2) + stats.entropy(q, base=2)) / 2


def _share(drawn, observed):
    """The p-value of a permutation test, the observed division counted among the drawn (never 0)."""
    return (1 + sum(value >= observed for value in drawn)) / (1 + len(drawn))
