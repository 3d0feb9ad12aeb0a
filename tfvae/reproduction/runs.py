"""One run of a table: a preset with overrides, trained or resumed, measured once on the test rows."""

import dataclasses
import gc
import hashlib
import importlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import keras

from tfvae import experiment as experiments
from tfvae.data import load
from tfvae.evaluation import encoding_time, label_draws
from tfvae.evaluation.evaluate import evaluate, plain, scalars
from tfvae.experiment import Experiment
from tfvae.reproduction import derived
from tfvae.reproduction.tables import Entry
from tfvae.run.directory import RunDirectory
from tfvae.run.monitor import Monitor
from tfvae.run.opening import open_run
from tfvae.storage import atomic, checked_json
from tfvae.storage.metrics_log import MetricsLog
from tfvae.training import trainer


class Planned(NamedTuple):
    """A run that is to be made: one draw of one row of a table."""

    entry: Entry
    draw: int
    size: str
    experiment: Experiment
    workdir: Path


class Done(NamedTuple):
    """A run that was made; `record` is its part of the table's JSON."""

    planned: Planned
    record: dict


def plan(table, budget, num_draws, workdir, data_dir=""):
    """All runs of a table, draw by draw, so that an interrupted table has whole draws.

    Runs lie in `<workdir>/<budget>/<preset and its overrides>/<draw>`, so tables that have runs in common share them.

    Args:
        table: `tfvae.reproduction.tables.Table`.
        budget: `tiny` (one epoch, to see that everything works), `small` or `full`.
        num_draws: draws of labels, initialisation and noise.
        workdir: of all runs.
        data_dir: where TFDS keeps its sets, empty for its default; for a table of one folder, that folder.
    """
    planned = []
    for draw in range(num_draws):
        for entry in table.entries:
            experiment = label_draws.experiment_of(experiment_of(entry, budget, data_dir), draw)
            folder = Path(workdir) / budget / _folder(entry) / str(draw)
            if entry.after:
                first = next(other for other in table.entries if other.name == entry.after)
                experiment.training.start_from = str(Path(workdir) / budget / _folder(first) / str(draw))
            planned.append(Planned(entry, draw, entry.size or budget, experiment, folder))
    return planned


def experiment_of(entry, budget, data_dir=""):
    """The experiment of a row.

    Raises:
        ValueError: if an override names a field that the experiment does not have.
    """
    preset = importlib.import_module(f"tfvae.configs.{entry.preset}")
    experiment = preset.get_config(entry.size or budget)
    for path, value in entry.overrides.items():
        _override(experiment, path, value)
    if data_dir and experiment.data.is_of_tfds:
        experiment.data.data_dir = data_dir
    if data_dir and experiment.data.source == "shards":
        experiment.data.path = data_dir
    if experiment.data.source in ("folder", "bag_of_words", "arrays"):
        experiment.data.path = data_dir
    if budget == "tiny":
        experiment.training.epochs = 1
    return experiment


def check_data(planned):
    """Loads every data set once, so that a missing one is told before anything is trained.

    Raises:
        ValueError: if the data do not exist.
    """
    checked = []
    for run in planned:
        wanted = dataclasses.replace(run.experiment.data, label_seed=0)
        if wanted not in checked:
            try:
                load.load(wanted)
            except ValueError as error:
                in_files = wanted.is_of_tfds or wanted.source in ("shards", "folder", "bag_of_words", "arrays")
                flag = " Here the flag is --data_dir." if in_files else ""
                raise ValueError(f"The data of {run.entry.name!r} cannot be used: {error}{flag}") from error
            checked.append(wanted)


def perform(planned, evaluation, timed=False):
    """Trains a run, or what is left of it, and measures its best-by-validation weights.

    Args:
        planned: `Planned`.
        evaluation: arguments of `tfvae.evaluation.evaluate.evaluate`.
        timed: whether the time of a code is measured too.

    Returns:
        `Done`.
    """
    if not _finished(planned):
        trainer.train(planned.experiment, planned.workdir)
    keras.utils.clear_session()  # A table is many models in one process.
    gc.collect()
    test = _measured(planned, {**evaluation, **planned.entry.evaluation}, timed)
    lines = _lines(planned)
    monitor = Monitor(planned.experiment.training.monitor)
    for line in lines:
        monitor.observe(line["epoch"], line[monitor.key])
    split = atomic.read_json(planned.workdir / "split.json")
    record = {
        "entry": planned.entry.name,
        "preset": planned.entry.preset,
        "size": planned.size,
        "overrides": {path: _unplaced(value) for path, value in planned.entry.overrides.items()},
        "draw": planned.draw,
        "seed": planned.experiment.training.seed,
        "label_seed": planned.experiment.data.label_seed,
        "epochs": len(lines),
        "steps": lines[-1]["step"],
        "best_epoch": monitor.best_epoch,
        "monitor": monitor.name,
        f"validation_{monitor.name}": monitor.best,
        "test": test,
        "curves": _curves(lines),
        "seconds": round(sum(line["seconds"] for line in lines), 1),
        "data_sha256": split["data"],
        "split_sha256": split["hash"],
    }
    return Done(planned, json.loads(json.dumps(plain(record), allow_nan=False)))


def _finished(planned):
    """Whether this very experiment was trained to its last epoch and measured, so that nothing needs to be built."""
    if not (planned.workdir / "test.json").exists():
        return False
    there, _ = RunDirectory(planned.workdir).read()
    same = experiments.digest(there) == experiments.digest(planned.experiment)
    return same and len(_lines(planned)) == planned.experiment.training.epochs


def _lines(planned):
    return MetricsLog(RunDirectory(planned.workdir).metrics_log).lines()


def _measured(planned, arguments, timed):
    """Test metrics of the best weights, from `test.json` where these very weights were measured so before."""
    path = planned.workdir / "test.json"
    weights = hashlib.sha256(RunDirectory(planned.workdir).best_weights.read_bytes()).hexdigest()
    key = {"weights_sha256": weights, "evaluation": plain(arguments), **({"timed": True} if timed else {})}
    if path.exists():
        there = checked_json.read(path, otherwise="delete it to have the run measured anew")
        if {name: there.get(name) for name in key} == key:
            return derived.with_derived(there["metrics"])
    opened = open_run(planned.workdir)
    metrics = scalars(evaluate(opened.model, opened.data, **arguments))
    if timed:
        metrics["encode_ms"] = encoding_time.milliseconds(opened.model, opened.data, opened.data.test)
    checked_json.write(path, {**key, "metrics": metrics})
    return derived.with_derived(metrics)


def _curves(lines):
    """Validation metrics by epoch, to draw from."""
    kept = {"epoch": [line["epoch"] for line in lines]}
    for name in ("val_error", "val_bound"):
        if name in lines[0]:
            kept[name] = [round(line[name], 5) for line in lines]
    return kept


def _unplaced(value):
    """A value without the folder of a file, which says where a table was made and nothing else."""
    return Path(value).name if isinstance(value, str) and "/" in value else value


def _override(experiment, path, value):
    owner = experiment
    *parents, field = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent, None)
    if not hasattr(owner, field):
        raise ValueError(f"A table overrides `{path}`, which {type(experiment.model).__module__} does not have.")
    setattr(owner, field, value)


def _folder(entry):
    """A folder's name for a preset, its size and its overrides."""
    parts = [entry.preset, entry.size or "", *(f"{k}={v}" for k, v in sorted(entry.overrides.items()))]
    return re.sub(r"[^A-Za-z0-9_.=-]+", "_", "-".join(part for part in parts if part)).strip("_")
