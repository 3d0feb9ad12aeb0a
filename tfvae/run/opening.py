"""How a run that was trained is opened again: its experiment, its data, and the model with its best weights."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
from absl import logging

from tfvae.data import load
from tfvae.data.load import Data
from tfvae.experiment import Experiment
from tfvae.models.base import GenerativeModel
from tfvae.run.directory import RunDirectory
from tfvae.storage import checkpoints
from tfvae.storage.disk import PathLike


class Run(NamedTuple):
    """A run that was trained: everything to evaluate, sample and serve."""

    experiment: Experiment
    data: Data
    model: GenerativeModel
    workdir: Path


def build_model(experiment: Experiment, data: Data) -> GenerativeModel:
    """The model of an experiment, built, prepared and with the initialisation of its seed."""
    settings = experiment.training
    with precision(settings.precision):
        keras.utils.set_random_seed(settings.seed)
        model = experiment.model.build(data.info, settings.seed)
        return model.prepare(next(iter(data.training_batches(settings.seed))))


def open_run(workdir: PathLike, data_path: PathLike = "") -> Run:
    """Opens a run that was trained, with its best weights and its data.

    Args:
        workdir: a run directory.
        data_path: where the data are now, if they have moved.

    Returns:
        `Run`. Where the run was stopped before it had best weights, the model has those of the newest good checkpoint.

    Raises:
        ValueError: if there is no run, nothing was trained yet, the weights are damaged, or the data are not there or
            others now.
    """
    directory = RunDirectory(workdir)
    _check_trained(directory)
    experiment, data = _with_data(directory, data_path)
    return _opened(directory, experiment, data)


def open_without_data(workdir: PathLike) -> Run:
    """As `open_run`, but its data are the few rows that the run keeps, so that the others need not be there.

    Enough to draw samples, to export and to answer about images; there is nothing in it to train on or to measure. A
    run that an older version began keeps none: then all data are loaded.
    """
    directory = RunDirectory(workdir)
    _check_trained(directory)
    data = directory.load_kept_data()
    return open_run(workdir) if data is None else _opened(directory, directory.read()[0], data)


def load_data(workdir: PathLike, data_path: PathLike = "") -> Data:
    """The data of a run; arguments and errors as of `open_run`."""
    return _with_data(RunDirectory(workdir), data_path)[1]


def _with_data(directory: RunDirectory, data_path: PathLike) -> tuple[Experiment, Data]:
    """(the experiment with the place of its data, its data)."""
    experiment, split = directory.read()
    if data_path:
        experiment = dataclasses.replace(experiment, data=experiment.data.moved_to(data_path))
    place = experiment.data.place
    try:
        return experiment, load.load(experiment.data, split)
    except (ValueError, OSError) as error:
        if place and not Path(place).expanduser().exists():
            raise ValueError(
                f"The data of {directory.path} are not in {place} (seen from {Path.cwd()}): say where they are, "
                "--data_path=..., or tfvae.open(..., data_path=...). Samples, exports and predictions need no data."
            ) from error
        raise


def _check_trained(directory: RunDirectory) -> None:
    directory.read()
    if not directory.best_weights.exists() and not _newest(directory):
        raise ValueError(f"{directory.path} has no weights: nothing was trained yet. Run tfvae-train on it first.")


def _newest(directory: RunDirectory) -> checkpoints.Checkpoint | None:
    """The newest good checkpoint after the first step."""
    checkpoint = checkpoints.Checkpoints(directory.checkpoints).newest()
    return checkpoint if checkpoint and checkpoint.step else None


def _opened(directory: RunDirectory, experiment: Experiment, data: Data) -> Run:
    has_best = directory.best_weights.exists()
    checkpoint = None if has_best else _newest(directory)
    model = build_model(experiment, data)
    if checkpoint is None:
        checkpoints.load_weights(directory.best_weights, model)
    else:
        logging.warning(
            "%s has no best weights yet; using its checkpoint after step %d.", directory.path, checkpoint.step
        )
        variables = checkpoints.by_path(model.variables)
        checkpoints.assign(variables, checkpoint.values["model"], directory.checkpoints)
    return Run(experiment, data, model, directory.path)


def kept_draws(workdir: PathLike) -> Iterator[tuple[int, checkpoints.Arrays]]:
    """The draws of the global parameters that a chain kept, in their order: yields (step, {name: array}).

    Raises:
        DamagedFileError: if a file is not what was written.
    """
    draws = checkpoints.Checkpoints(RunDirectory(workdir).draws)
    for step in draws.steps():
        yield step, draws.read(step).values["draw"]


def start_from(workdir: PathLike, model: GenerativeModel) -> None:
    """Gives a new model the best weights of a run, as far as they are of use on other data.

    Raises:
        ValueError: if the run has no weights, or some of another shape than the model's.
    """
    directory = RunDirectory(workdir)
    if not directory.best_weights.exists():
        raise ValueError(f"`training.start_from` {workdir} has no best.weights.h5: train a run there first.")
    wanted = checkpoints.by_path(model.transferable_variables())
    dispensable = {variable.path for variable in model.dispensable_variables()}
    count = checkpoints.load_some_weights(directory.best_weights, wanted, dispensable)
    logging.info("Starting from %s: %d variables.", workdir, count)


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Layers made inside compute in that dtype policy; the policy of the process is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
