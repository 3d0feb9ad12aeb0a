"""How much of the class is in the codes? Classifiers on codes (M1+TSVM of Kingma et al. 2014)."""

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation import classifiers, intervals, labels, nouns
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import mean_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS


def codes(model, data, rows, batch_size=500):
    """Means of q(z | x) at the expected observations: float32 [N, Z]."""
    encode = mean_of(model, "encode")
    return map_rows(lambda image, _: encode(image), data, rows, at_once(model, batch_size))


def auxiliary_codes(model, data, rows, batch_size=500):
    """Means of q(a | x): float32 [N, A].

    Raises:
        ValueError: for a model without an auxiliary variable.
    """
    if not model.can(Capability.ENCODE_AUXILIARY):
        raise ValueError(f"{type(model).__name__} has no auxiliary variable: use `codes`.")
    encode = mean_of(model, "encode_auxiliary")
    return map_rows(lambda image, _: encode(image), data, rows, batch_size)


def applies(model, data, rows):
    """Whether there are codes and labels, and the model itself does not classify."""
    encodes = model.can(Capability.ENCODE) and not model.can(Capability.CLASSIFY)
    return encodes and labels.can_compare(data, rows)


def measure(model, data, rows, settings, unlabelled_limit=5000):
    """Errors of an inductive and a transductive SVM on codes, and of a graph on codes and on pixels.

    The graph is ours, not the source's: labels spread along neighbours among training rows, then an SVM of them all.

    Args:
        model, data: the model and `tfvae.data.load.Data`; settings of the SVMs are chosen on its validation rows.
        rows: test `Examples`; those without a label are left out.
        settings: the seed of the transductive SVM's rows and landmarks.
        unlabelled_limit: training rows, drawn at random, that the transductive SVM sees; 0 for all.

    Returns:
        {"svm_error", "tsvm_error", "graph_error", "graph_pixels_error" (fractions), "tsvm_unlabelled_rows",
        "classified_rows"}.

    Raises:
        ValueError: without labelled rows of two classes.

    Kingma et al. 2014, table 1, "M1+TSVM".
    """
    rows = labels.to_compare(data, rows)
    some = subset(data.train, unlabelled_limit, settings.seed)
    labelled, unlabelled, test = (codes(model, data, part) for part in (data.labelled, some, rows))
    held_out = labels.labelled(data.validation)
    validation = (codes(model, data, held_out), held_out.label) if len(held_out) else (None, None)
    inductive = classifiers.svm(labelled, data.labelled.label, *validation)
    transduced = classifiers.tsvm(labelled, data.labelled.label, unlabelled, *validation, seed=settings.seed)
    spread = classifiers.graph(labelled, data.labelled.label, unlabelled, *validation)
    pixels = [_pixels(data, part) for part in (data.labelled, some, held_out, rows)]
    of_pixels = (pixels[2], held_out.label) if len(held_out) else (None, None)
    spread_on_pixels = classifiers.graph(pixels[0], data.labelled.label, pixels[1], *of_pixels)
    return {
        "svm_error": classifiers.error(inductive, test, rows.label),
        "tsvm_error": classifiers.error(transduced, test, rows.label),
        "graph_error": classifiers.error(spread, test, rows.label),
        "graph_pixels_error": classifiers.error(spread_on_pixels, pixels[3], rows.label),
        "tsvm_unlabelled_rows": len(some),
        "classified_rows": len(rows),
    }


def _pixels(data, rows):
    """Flattened expected observations: float32 [N, D]."""
    return np.asarray(data.observe(rows), np.float32).reshape(len(rows), -1)


def headlines(metrics, data):
    """The error of the better informed of the two."""
    if metrics.get("tsvm_error") is None:
        return []
    percent, rows = METRICS["error"].shown, intervals.judged(metrics, data)
    meaning = (
        f"A transductive SVM on the model's codes errs this often on {nouns.counted(rows, data, 'labelled')} that are "
        f"held out; an ordinary SVM on the same codes {percent(metrics['svm_error'])} "
        f"({intervals.in_words(metrics['svm_error'], rows)})."
    )
    if metrics.get("graph_error") is not None:
        meaning += (
            f" Labels that spread along neighbouring codes and an SVM of them all: {percent(metrics['graph_error'])}; "
            f"along neighbouring pixels, without any model: {percent(metrics['graph_pixels_error'])}."
        )
    spread = intervals.in_words(metrics["tsvm_error"], rows)
    return [Headline("Error from codes", percent(metrics["tsvm_error"]), meaning, 20, spread)]


MEASUREMENT = Measurement(
    applies,
    measure,
    headlines,
    errors={
        "tsvm_error": " + transductive SVM on codes",
        "svm_error": " + SVM on codes",
        "graph_error": " + graph on codes",
    },
)
