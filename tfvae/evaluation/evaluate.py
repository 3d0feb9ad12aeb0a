"""Whatever a model can do, measured on test rows."""

import math
import time

import numpy as np
from absl import logging

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import baselines as rivals
from tfvae.evaluation import captioning, classification, likelihood, posterior, representation, words


def evaluate(model, data, rows=None, num_samples=1, iw_samples=100, rows_limit=0, baselines=False, seed=0, decoding=""):
    """Measures a model on test rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, by default `data.test`.
        num_samples: S, draws of the auxiliary variable or the code behind `error_s<S>` and captions; 1 for the
            deterministic `error` and the captions of the mean code.
        iw_samples: k of the importance-weighted bound; 0 for none.
        rows_limit: the bounds are taken on a seeded random subset of that many rows, because they cost k times what
            the error does; 0 for all rows.
        baselines: whether scikit-learn's rivals are trained on the same labels.
        seed: of every draw.
        decoding: how captions are chosen, by default as in the model's config.

    Returns:
        plain keys (see `classification`, `captioning`, `likelihood`, `posterior`, `representation`, `words` and
        `baselines`): JSON values, None where a number is not finite. `bound_seconds` is what the bounds took,
        compilation included; `log_normaliser` is the exact value that the bound of a potential stays below.
    """
    rows = data.test if rows is None else rows
    results = {}
    if model.can(Capability.BOUND) and len(rows):
        began = time.monotonic()
        results |= likelihood.evaluate(model, data, rows, iw_samples, rows_limit, seed)
        results["bound_seconds"] = round(time.monotonic() - began, 2)
    if model.can(Capability.POSTERIOR) and len(rows):
        results |= posterior.evaluate(model, data, rows, seed=seed)
    if model.can(Capability.STEIN_DISCREPANCY) and len(rows):
        results |= posterior.discrepancy(model, data, rows, seed=seed)
    if found := words.topics(model, data.words):
        results["topics"] = found
    if model.can(Capability.LOG_NORMALISER):
        results["log_normaliser"] = model.log_normaliser()
    if model.can(Capability.CAPTION) and len(rows.captioned()):
        results |= captioning.evaluate(model, data, rows, num_samples, seed, decoding=decoding)
    elif model.can(Capability.CAPTION):
        logging.warning("No test row has a caption, so captions are not measured: give some images the split `test`.")
    if can_compare_labels(data, rows):
        if model.can(Capability.CLASSIFY):
            results |= classification.evaluate(model, data, rows, num_samples, seed)
        elif model.can(Capability.ENCODE):
            results |= representation.evaluate(model, data, rows, seed=seed)
        if baselines:
            results |= rivals.evaluate(data, rows, model.supervised_network(), seed=seed)
    return plain(results)


def can_compare_labels(data, rows):
    """Whether there are labels to learn from, of two classes at least, and labelled rows to be measured on."""
    return len(np.unique(data.labelled.label)) > 1 and bool((rows.label != NO_LABEL).any())


def scalars(metrics):
    """The entries that fit on one line: no table, no bins."""
    return {name: value for name, value in metrics.items() if not isinstance(value, list | dict)}


def plain(value):
    """JSON values: NumPy scalars and arrays become Python's, and what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
