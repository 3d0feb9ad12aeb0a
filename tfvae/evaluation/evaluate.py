"""Everything that a model can be asked, measured on test rows."""

import math

import numpy as np
from absl import logging

from tfvae.evaluation import intervals, labels
from tfvae.evaluation.measurement import EVALUATED_ROWS, Settings, measurements
from tfvae.evaluation.rivals import contest

# Rows that any measurement found to give a number that is not finite; the largest count is told.
_INVALID = "invalid_rows"


def evaluate(
    model, data, rows=None, num_samples=1, iw_samples=100, rows_limit=0, rivals=False, seed=0, decoding="",
    progress=None, classifier="",
):  # fmt: skip
    """Measures a model on test rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, by default `data.test`, or `data.validation` where there are no test rows; the result then
            says so: "evaluated_rows" is "validation".
        num_samples, iw_samples, rows_limit, seed, decoding, classifier: as in `tfvae.evaluation.measurement.Settings`.
        rivals: whether rivals are trained on the same labels.
        progress: `tfvae.progress.Progress` that hears what is measured.

    Returns:
        What the measurements that apply and the rivals return, as JSON values, None where a number is not finite;
        beside every error the ends of its 95 % interval, "<error>_low" and "<error>_high".

    Raises:
        ValueError: if two measurements give one number.
    """
    validates = rows is None and not len(data.test) and len(data.validation) > 0
    if rows is None:
        rows = data.validation if validates else data.test
    settings = Settings(num_samples, iw_samples, rows_limit, seed, decoding, classifier)
    results = {}
    progress = progress or (lambda line: None)
    for name, measurement in measurements().items():
        if measurement.applies(model, data, rows):
            progress(lambda name=name: f"measuring {name.replace('_', ' ')}")
            results = _joined(results, measurement.measure(model, data, rows, settings), name)
    if not results:
        logging.warning("%s was asked nothing: no measurement applies to it and these rows.", type(model).__name__)
    if rivals and labels.can_compare(data, rows):
        progress(lambda: f"training rivals on {len(data.labelled):,} labels")
        results |= contest.measure(data, rows, model.supervised_network(), seed=seed)
    results |= _ends(results)
    return plain(results | ({EVALUATED_ROWS: "validation"} if validates and results else {}))


def _ends(results):
    """The 95 % interval of every error that was counted."""
    named = {name for measurement in measurements().values() for name in measurement.errors} | contest.found().keys()
    found = {}
    for name in named & results.keys() if results.get("classified_rows") else ():
        rows = results["classified_rows"]
        found[f"{name}_low"], found[f"{name}_high"] = intervals.wilson(results[name] * rows, rows)
    return dict(sorted(found.items()))


def _joined(results, found, name):
    """Both, where they give no number twice."""
    twice = (results.keys() & found.keys()) - {_INVALID}
    if twice:
        raise ValueError(f"The measurement {name!r} gives {sorted(twice)} anew: name what it measures otherwise.")
    invalid = [numbers[_INVALID] for numbers in (results, found) if _INVALID in numbers]
    return {**results, **found, **({_INVALID: max(invalid)} if invalid else {})}


def scalars(metrics):
    """The entries that fit on one line: no table, no bins."""
    return {name: value for name, value in metrics.items() if not isinstance(value, list | dict)}


def plain(value):
    """JSON values: NumPy scalars and arrays become Python's, and a number that is not finite becomes None."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
