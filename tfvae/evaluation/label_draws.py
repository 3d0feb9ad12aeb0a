"""The same experiment on several draws of the labels: how much is luck?"""

import dataclasses
import statistics

from tfvae import metrics


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
        metric -> {"mean", "std" (None for one draw), "values": one a draw}, for errors, bounds, calibration and scores
        of captions that every draw has.
    """
    if not results:
        return {}
    names = [name for name in results[0] if metrics.find(name) and all(_number(r.get(name)) for r in results)]
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
