"""The same experiment on several draws of the labels: how much is luck?"""

import dataclasses
import statistics

from tfvae import metrics
from tfvae.evaluation.measurement import measurements


def experiment_of(experiment, number):
    """The experiment with the labels, the initialisation and the noise of draw `number` (0, 1, ...)."""
    return dataclasses.replace(
        experiment,
        data=dataclasses.replace(experiment.data, label_seed=number),
        training=dataclasses.replace(experiment.training, seed=number),
    )


def spread(results):
    """Mean and sample standard deviation over draws.

    Args:
        results: one dict of `evaluate` for each draw.

    Returns:
        metric -> {"mean", "std" (None for one draw), "values": one a draw}, of what `tfvae.metrics` or a
        measurement lists and every draw has.
    """
    if not results:
        return {}
    named = {metric.name for measurement in measurements().values() for metric in measurement.metrics}
    names = [name for name in results[0] if name in named or metrics.find(name)]
    names = [name for name in names if all(_number(result.get(name)) for result in results)]
    return {name: _summary([result[name] for result in results]) for name in names}


def summary(results):
    """{"draws": `spread`} to add to the metrics of a run, or {} without draws."""
    return {"draws": spread(results)} if results else {}


def _summary(values):
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": deviation, "values": values}


def _number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def flat(summaries):
    """{"error_mean": ..., "error_std": ...} of a `spread`, for one line of output."""
    return {f"{name}_{part}": summary[part] for name, summary in summaries.items() for part in ("mean", "std")}
