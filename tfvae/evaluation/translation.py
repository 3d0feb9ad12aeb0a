"""How probable are examples of several images together, and one image given the other?"""

import numpy as np

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation import nouns
from tfvae.evaluation.batched import at_once, batch_seed, chunk_sizes, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.likelihood import log_mean_of_chunks
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS, Metric
from tfvae.probability import noise

_MAX_DRAWS = 20_000

JOINT = Metric("joint_iw_bound", "Bound on log p of all images of an example", "nats", True)
GIVEN = Metric("conditional_log_prob", "log p of the other images given the first", "nats", True)
REVERSE = Metric("conditional_log_prob_reverse", "log p of the first image given the others", "nats", True)


def observed(data, rows, seed=None):
    """{modality: observations of rows}, with the noise of the transforms where a seed is given."""
    return {
        name: data.observe(rows, None if seed is None else batch_seed(seed, i), name)
        for i, name in enumerate(data.transforms)
    }


def applies(model, data, rows):
    """Whether the model joins images, of which rows have all."""
    return model.can(Capability.JOINT_BOUND) and len(data.transforms) > 1 and len(rows) > 0


def measure(model, data, rows, settings):
    """Bounds on log p(x, y, ...) and importance-sampling estimates of log p(y | x) and log p(x | y).

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: test `Examples` with all images.
        settings: k of the importance weights, the number of rows, the seed.

    Returns:
        {"joint_bound" (one draw), "joint_iw_bound", "conditional_log_prob" (all further images given the first),
        "conditional_log_prob_reverse" (the first given the others; the last two are estimates that tend to be too high
        or too low, no bounds)}, nats, means over rows.
    """
    rows, num = subset(rows, settings.rows_limit, settings.seed), settings.iw_samples
    sums = {"joint_bound": _joint(model, data, rows, 1, settings.seed)}
    if num:
        sums[JOINT.name] = _joint(model, data, rows, num, settings.seed)
        first = {IMAGE}
        sums[GIVEN.name] = _conditional(model, data, rows, first, num, settings.seed)
        sums[REVERSE.name] = _conditional(model, data, rows, set(data.transforms) - first, num, settings.seed)
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _batches(model, data, rows, seed):
    """Observations of rows in batches of one size, the last one filled up with its last row, and the number of each."""
    size = max(1, min(100, at_once(model, 100), len(rows)))
    for index, start in enumerate(range(0, len(rows), size)):
        part = rows.take(np.minimum(np.arange(start, start + size), len(rows) - 1))
        yield observed(data, part, seed + index), index


def _joint(model, data, rows, num, seed):
    bound, found = compiled(model, Capability.JOINT_BOUND), []
    for given, index in _batches(model, data, rows, seed):
        sizes = _sizes(model, given, num)
        chunks = [
            np.asarray(bound(given, size, noise.seed(seed, index, i)), np.float64) for i, size in enumerate(sizes)
        ]
        found.append(log_mean_of_chunks(np.stack(chunks), sizes))
    return np.concatenate(found)[: len(rows)]


def _conditional(model, data, rows, known, num, seed):
    estimate, found = compiled(model, Capability.CONDITIONAL), []
    for each, index in _batches(model, data, rows, seed):
        given, wanted = ({name: x for name, x in each.items() if (name in known) is which} for which in (True, False))
        (size, *_) = _sizes(model, each, num)
        found.append(np.asarray(estimate(given, wanted, size, noise.seed(seed, index))))
    return np.concatenate(found)[: len(rows)]


def _sizes(model, given, num):
    """Draws of every call, so that its activations fit into memory."""
    return chunk_sizes(num, max(1, at_once(model, _MAX_DRAWS) // len(next(iter(given.values())))))


def headlines(metrics, data):
    """The joint bound."""
    value = metrics.get(JOINT.name, metrics.get("joint_bound"))
    if value is None:
        return []
    given = metrics.get(GIVEN.name)
    meaning = f"The mean log-likelihood of all images of a test {nouns.noun(data)} together is at least this."
    if given is not None:
        meaning += (
            f" Of the others given the first one: about {GIVEN.shown(given, 1)}; of the first given the others: about "
            f"{REVERSE.shown(metrics[REVERSE.name], 1)}."
        )
    return [Headline(JOINT.title, METRICS["bound"].shown(value), meaning, 61)]


MEASUREMENT = Measurement(applies, measure, headlines, metrics=(JOINT, GIVEN, REVERSE))
