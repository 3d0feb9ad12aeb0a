"""The panels of a report: every figure and picture that a model and its data allow, with what to see in it."""

from typing import NamedTuple

import numpy as np

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import captioning, classification, figures, generation, representation
from tfvae.evaluation.batched import at_once, observations, subset
from tfvae.evaluation.compiled import compiled
from tfvae.metrics import METRICS
from tfvae.probability import noise
from tfvae.storage import metrics_log

_CAPTIONS = {
    "samples": ("Samples", "Invented: each starts from a random code, drawn from the prior."),
    "reconstructions": ("Reconstructions", "Held-out originals, each above what is left of it after its code."),
    "analogies": (
        "Analogies",
        "Left a held-out image, then its style in every class: where style and class are apart, a line keeps its slant "
        "and thickness (Maaløe et al. 2016, figure 3a).",
    ),
    "completions": (
        "Completions",
        "Held-out originals, their left half, and the whole that the model makes of it.",
    ),
    "captions": ("Captions", "Held-out images: in bold what the model says, below it what a person said."),
    "images_from_captions": (
        "Images from captions",
        "Left what the model draws for a held-out caption, right the image that it was written for (Pu 2017, "
        "figure 3.11).",
    ),
    "class_samples": ("Samples of every class", "A line shares its random style, a column its class (figure 3b)."),
}


class Panel(NamedTuple):
    """title, caption: words; image: PNG bytes; pixels: whether it is a picture made of large pixels."""

    title: str
    caption: str
    image: bytes
    pixels: bool = False


class Mistake(NamedTuple):
    """A test row that was misclassified: PNG bytes, the names of the two classes, and the stated probability."""

    image: bytes
    true: str
    predicted: str
    confidence: float


def curves(runs):
    """Error and bound against epochs, every run a line (figure 5).

    Args:
        runs: name -> records of its `metrics.jsonl`.
    """
    made = []
    for name in ("error", "bound", "perplexity", "loss"):
        metric = METRICS[name]
        lines = {run: metrics_log.series(records, name) for run, records in runs.items()}
        lines = {run: line for run, line in lines.items() if line[0]}
        if lines and not (name == "loss" and made):
            percent, title = metric.unit == "%", _title(metric)
            label = f"{name} [{metric.unit}]"
            made.append(Panel(title, metric.meaning, figures.curves(lines, name, label, percent, title)))
    return made


def _title(metric):
    return f"Validation {metric.title[0].lower()}{metric.title[1:]}" if metric.monitored else metric.title


def pictures(model, data, seed=0):
    """Samples, reconstructions, analogies, captions."""
    grids = generation.pictures(model, data, seed)
    note = " Colours are those after contrast normalisation." if _normalised(data) else ""
    drawn = []
    for name, grid in grids.items():
        title, caption = _caption(name)
        drawn.append(Panel(title, caption + note, generation.png(grid, min_width=420), True))
    return [
        *(Panel(*_caption(name), png) for name, png in captioning.examples(model, data, seed=seed).items()),
        *drawn,
    ]


def _normalised(data):
    """Whether pictures are of images whose contrast was normalised, which nothing undoes."""
    return data.transform.config.contrast != "none"


def _caption(name):
    """Title and caption of a grid."""
    if name.startswith("elements"):
        layer = name.removeprefix("elements")
        return (
            f"Dictionary, layer {layer}",
            "What each element adds to an image, gray for nothing (Pu 2017, figure 3.3).",
        )
    return _CAPTIONS[name]


def predictions(metrics, data):
    """Reliability and confusion."""
    made = []
    if metrics.get("calibration"):
        caption = "Bars below the dashed line: more sure than right. The lower panel counts rows, logarithmically."
        made.append(Panel("Reliability", caption, figures.reliability(metrics["calibration"])))
    if metrics.get("confusion"):
        counts = np.asarray(metrics["confusion"])
        drawn = figures.confusion(counts, data.class_names)
        made.append(Panel("Confusion", _worst_pair(counts, data.class_names), drawn))
    return made


def inside(model, data, seed=0, num_rows=2000):
    """Codes, KL a unit, decision regions of points, fitted density of a potential."""
    if model.can(Capability.LOG_NORMALISER):
        return [_potential(model, seed)]
    rows = subset(data.test if len(data.test) else data.validation, num_rows, seed)
    if not len(rows):
        return []
    made = []
    if data.transform.raw_shape == (2,) and model.can(Capability.CLASSIFY):
        made.append(_decision_regions(model, data, rows))
    if model.can(Capability.ENCODE_AUXILIARY):
        made.append(_codes(representation.auxiliary_codes(model, data, rows), rows, data, "a", "figures 2d and 4b"))
    if not model.can(Capability.ENCODE):
        return made
    note = "the style: the class is for y to carry" if model.can(Capability.ANALOGIES) else "no label was used"
    made.append(_codes(representation.codes(model, data, rows), rows, data, "z", note))
    if model.can(Capability.KL_PER_UNIT):
        units = _kl(model, data, rows, seed)
        caption = "Units near 0 are not used by the model: their code is the prior's (figure 4a)."
        made.append(Panel("Information a unit", caption, figures.kl_per_unit(units)))
    return made


def mistakes(model, data, limit=18):
    """The most confident mistakes on test images: often wrong labels, else where the model needs more examples."""
    rows = data.test.take(np.flatnonzero(data.test.label != NO_LABEL))
    if not (model.can(Capability.CLASSIFY) and generation.has_pictures(data) and len(rows)):
        return []
    probs = np.nan_to_num(classification.probabilities(model, data, rows))
    predicted, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(predicted != rows.label)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    if not len(wrong):
        return []
    shown = data.transform.picture(data.observe(rows.take(wrong))).numpy()
    return [
        Mistake(
            generation.png(generation.grid(image[None], 1, gap=0), min_width=72),
            data.class_names[rows.label[row]],
            data.class_names[predicted[row]],
            float(confidence[row]),
        )
        for row, image in zip(wrong, shown, strict=True)
    ]


def _codes(codes, rows, data, variable, note):
    title = f"Codes: the mean of q({variable} | x)"
    coloured = f", coloured by their true class ({note})" if (rows.label != NO_LABEL).any() else ""
    caption = f"The first two principal components of {len(codes):,} test rows{coloured}."
    return Panel(title, caption, figures.codes_pca(codes, rows.label, data.class_names, title))


def _kl(model, data, rows, seed):
    """variable -> [units], nats."""
    compute, sums = compiled(model, "kl_per_unit"), {}
    for image, count, index in observations(data, rows, at_once(model, 500), seed):
        for name, values in compute(image, noise.seed(seed, index)).items():
            sums[name] = sums.get(name, 0.0) + values.numpy()[:count].sum(axis=0)
    return {name: total / len(rows) for name, total in sums.items()}


def _decision_regions(model, data, rows):
    classify = compiled(model, "classify")
    drawn = figures.decision_regions(
        lambda points: classify(data.transform.observe(points)).numpy(),
        rows.image, data.labelled.image, data.labelled.label, data.class_names,
    )  # fmt: skip
    caption = (
        "The predicted class of every point of the plane; test points grey, labelled points with a rim (figure 2c)."
    )
    return Panel("Decision regions", caption, drawn)


def _potential(model, seed):
    samples = compiled(model, "sample")(20_000, noise.seed(seed)).numpy()
    drawn = figures.potential(model.p_z.log_prob, samples, model.p_z.edge, model.config.prior.upper())
    caption = "Left the target, right a histogram of draws from q(z) (figures 2a, 2b)."
    return Panel("True and fitted density", caption, drawn)


def _worst_pair(counts, names):
    """The caption of a confusion matrix: what is mistaken for what most often."""
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.sum():
        return "Not one test row was misclassified."
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    share = wrong[true, predicted] / max(1, counts[true].sum())
    return (
        f"Most often a {names[true]} was taken for a {names[predicted]}: {wrong[true, predicted]} times, "
        f"{share:.0%} of its class."
    )
