"""Have the images changed since training? Gray levels, codes, bounds and classes against those of the training data."""

import numpy as np
from scipy import stats

from tfvae.batch import IMAGE
from tfvae.monitoring import power, served
from tfvae.monitoring.strangest import DISTANCE, code_distances, strangest
from tfvae.reports import code_figures, thumbnails

_PERMUTATIONS = 2000
# Of what every image is one: name -> (signature, output with its probabilities).
_CATEGORIES = {"classes": ("classify", "probabilities"), "clusters": ("cluster", "cluster_probabilities")}
_FEWEST = 10  # Images of which a distribution can be said to be another.


def measure(model, reference, source, num=500, seed=0, level=0.01):
    """Compares images with those that a model was made for.

    Args:
        model: a version, or a base path whose newest one is taken.
        reference: shards of the training data; their validation and test rows are read, which no run trained on, so
            that an overfitted model does not see drift in everything new.
        source: a folder of the images in question, or shards.
        num, seed: images drawn from each.
        level: as of `drifted`; by it is told what each test could have found.

    Returns:
        {"model", "images": counts, "class_names", "tests", "power", "strangest"}.

        "tests": of "brightness" and "contrast" (mean and standard deviation of an image's gray levels; of every
        modality, as "brightness of image_b") and of "bound" (nats; of further modalities "bound of image_b") or
        "energy" the means of both and the p-value of a Kolmogorov-Smirnov test; of "codes", and of "codes of image_b"
        where that has an encoder of its own, the squared maximum mean discrepancy (RBF kernel, median bandwidth) with
        the p-value of a permutation test (Gretton et al. 2012, sections 2 and 4); of "classes" the Jensen-Shannon
        divergence (bits) of the predicted ones with the p-value of such a test, of "clusters" the same, and of "tags"
        the discrepancy of their probabilities, as of codes.
        "power": of every test what it would find four times of five (`tfvae.monitoring.power`).
        "strangest": the new images that lie farthest from the reference: file, measure, value, usual range, small JPEG.

        `answer` leaves out what is there for pictures.

    Raises:
        ValueError: for a model, a reference or a source that is none.
    """
    version = served.Served(model)
    new, names = served.drawn(source, version.shapes, num, seed)
    both = served.sample(reference, version.shapes, num, seed, ("validation", "test")), new
    counts = [len(next(iter(images.values()))) for images in both]
    if min(counts) < _FEWEST:
        raise ValueError(f"Both need {_FEWEST} images at least, there are {counts[0]} and {counts[1]}.")
    rng = np.random.default_rng(seed)
    scalars = _scalars(version, both)
    tests = {name: _scalar(*values) for name, values in scalars.items()}
    unlike, codes_of = dict(scalars), {}
    if version.compares("encode"):
        codes_of["codes"] = codes = [version.of_images("encode", "mean", images).astype(np.float64) for images in both]
        tests["codes"] = discrepancy(*codes, rng)
        unlike[DISTANCE] = code_distances(*codes)
    for image in version.shapes:
        if image != IMAGE and version.compares(f"encode_{image}"):
            own = [version.of_images(f"encode_{image}", "mean", images).astype(np.float64) for images in both]
            tests[f"codes of {image}"] = discrepancy(*own, rng)
            codes_of[f"codes of {image}"] = own
    if version.compares("tag"):
        codes_of["tags"] = [version.of_images("tag", "tag_probabilities", images).astype(np.float64) for images in both]
        tests["tags"] = discrepancy(*codes_of["tags"], rng)
    for name, (signature, output) in _CATEGORIES.items():
        if version.compares(signature):
            probs = [version.of_images(signature, output, images) for images in both]
            tests[name] = divergence(*(p.argmax(axis=-1) for p in probs), probs[0].shape[-1], rng)
    return {
        "images": {"reference": counts[0], "new": counts[1]},
        "model": str(version.version),
        "class_names": list(version.class_names),
        "tests": tests,
        "power": _power(tests, counts, codes_of, level / len(tests)),
        "strangest": [_shown(strange, new, names) for strange in strangest(unlike)],
    }


def _scalars(version, both):
    """Name -> one value of every reference image [N], and of every new one [M]."""
    found = {}
    for image in version.shapes:
        for name, statistic in (("brightness", np.mean), ("contrast", np.std)):
            of_image = name if image == IMAGE else f"{name} of {image}"
            found[of_image] = [statistic(images[image], axis=(1, 2, 3)) for images in both]
    for image in version.shapes:
        if image != IMAGE and version.compares(f"score_{image}"):
            found[f"bound of {image}"] = [version.of_images(f"score_{image}", "bound", images) for images in both]
    if version.score:
        found[version.score] = [version.of_images("score", version.score, images) for images in both]
    return found


def _power(tests, counts, codes_of, level):
    """Name of the test -> {"standard_deviations", or "share" that goes over to "class": what it finds four times of
    five, None for nothing}.
    """
    shift, found = power.shift(*counts, level), {}
    for name, test in tests.items():
        if name in codes_of:
            codes = codes_of[name]
            found[name] = {
                "standard_deviations": power.code_shift(codes[0], len(codes[1]), test["values"]["null"], level)
            }
        elif name in _CATEGORIES:
            share, of_class = power.share(test["reference"], *counts, level)
            found[name] = {"share": share, "class": of_class}
        else:
            found[name] = {"standard_deviations": shift}
            if shift is not None and test["values"]:
                found[name]["shift"] = shift * float(np.std(test["values"]["reference"]))
    return found


def _shown(strange, images, names):
    """A strange image for people, and for the answer in JSON."""
    image = next(iter(images.values()))[strange.number]
    told = {"file": names[strange.number], **strange._asdict(), "thumbnail": thumbnails.of_array(image)}
    return told | {"usual": list(strange.usual)}


def weak(found):
    """Whether a shift of half a standard deviation would have been missed by the tests of gray levels."""
    finds = [of["standard_deviations"] for name, of in found["power"].items() if name.startswith("brightness")]
    return any(of is None or of > power.WEAK for of in finds)


def verdict(found, level=0.01):
    """What was found, in a sentence or two: what changed, or what would not have been seen.

    Args:
        found: of `measure`.
        level: as of `drifted`.
    """
    changed, counts = drifted(found, level), found["images"]
    compared = f"{counts['new']:,} new images against {counts['reference']:,} that were held out of training"
    if changed:
        return f"The images have changed ({', '.join(changed)}): {compared}."
    finds = found["power"]["brightness" if "brightness" in found["power"] else next(iter(found["power"]))]
    shift = finds["standard_deviations"]
    seen = "no shift however large" if shift is None else f"a shift of {shift:.1f} standard deviations"
    told = f"four times of five they would find {seen} of the brightness, and nothing smaller"
    if not weak(found):
        return f"No drift was found: {compared}; {told}."
    enough = power.enough(level / len(found["tests"]))
    advice = f" With {enough:,} of each they would find half a standard deviation." if enough else ""
    return f"Too few images to tell: {compared}; {told}, so that nothing was found says little.{advice}"


def answer(found, level=0.01):
    """What was found as JSON values: without what is there for pictures, with "changed" and the verdict."""
    tests = {name: {key: of for key, of in test.items() if key != "values"} for name, test in found["tests"].items()}
    strange = [{key: of for key, of in each.items() if key != "thumbnail"} for each in found["strangest"]]
    said = {"changed": drifted(found, level), "verdict": verdict(found, level)}
    return found | {"tests": tests, "strangest": strange} | said


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
        {"mmd2", "p_value", "values"}. The unbiased estimate, which may be below 0 (Gretton et al. 2012, eq. 3); for
        pictures the samples in the plane of their principal components, and the values of random divisions.
    """
    both = np.concatenate([x, y]).astype(np.float64)
    norms = np.sum(both**2, axis=-1)
    squared = np.maximum(norms[:, None] + norms[None] - 2.0 * both @ both.T, 0.0)
    median = np.median(squared[np.triu_indices(len(both), 1)])
    kernel = np.exp(-squared / (2.0 * max(median, 1e-12)))
    observed = _mmd2(kernel, np.arange(len(both)) < len(x))
    drawn = [_mmd2(kernel, rng.permutation(len(both)) < len(x)) for _ in range(permutations)]
    plane, _ = code_figures.principal_components(both)
    values = {"reference": plane[: len(x)], "new": plane[len(x) :], "null": drawn}
    return {"mmd2": float(observed), "p_value": _share(drawn, observed), "values": values}


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
