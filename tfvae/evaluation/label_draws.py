"""The same experiment on several draws of the labels: how much is luck?"""

import dataclasses
import statistics

from tfvae import metrics
from tfvae.evaluation.measurement import measurements
from tfvae.progress import duration
from tfvae.run.directory import RunDirectory
from tfvae.run.monitor import begins, course
from tfvae.storage.metrics_log import MetricsLog


def experiment_of(experiment, number):
    """The experiment with the labels, the initialisation and the noise of draw `number` (0, 1, ...)."""
    return dataclasses.replace(
        experiment,
        data=dataclasses.replace(experiment.data, label_seed=number),
        training=dataclasses.replace(experiment.training, seed=number),
    )


def announcement(run, numbers):
    """What is worth knowing before label draws of a run are trained: a line each, or none.

    Whether the run was interrupted, so that it is no fair measure of the preset, and what the draws will take: as many
    epochs as the run had, or should have had.

    Args:
        run: `tfvae.run.opening.Run`; its draws are in `draws/<number>` of its directory.
        numbers: of the draws that are other experiments than the run.
    """
    directory = RunDirectory(run.workdir)
    records = MetricsLog(directory.metrics_log).lines()
    waits = begins(run.model, run.experiment.training.steps_of_epoch(run.data.steps_per_epoch))
    found = course(records, dataclasses.asdict(run.experiment.training), waits)
    logs = (RunDirectory(directory.draws / str(n)).metrics_log for n in numbers)
    trained = [len(MetricsLog(path).lines()) for path in logs]
    return [
        line for line in (found.wanting, _cost(records, found.done if found.ended else found.epochs, trained)) if line
    ]


def _cost(records, epochs, trained):
    """What training draws for so many epochs will take, in words; empty where all of them are trained."""
    missing = [epochs - done for done in trained if done < epochs]
    if not missing:
        return ""
    seconds = sum(record["seconds"] for record in records) / max(len(records), 1) * sum(missing)
    takes = f", about {duration(seconds)}" if seconds else ""
    return f"training {len(missing)} more label draw{'s' if len(missing) > 1 else ''}{takes}, --draws=0 to skip"


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
