"""How a run that was trained is opened again: its experiment, its data, and the model with its best weights."""

import contextlib
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
from tfvae.storage.atomic import PathLike


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


def open_run(workdir: PathLike) -> Run:
    """Opens a run that was trained, with its best weights.

    Args:
        workdir: a run directory.

    Returns:
        `Run`. Where the run was stopped before it had best weights, the model has those of the newest good checkpoint.

    Raises:
        ValueError: if there is no run, nothing was trained yet, or the weights are damaged.
    """
    directory = RunDirectory(workdir)
    experiment, split = directory.read()
    has_best = directory.best_weights.exists()
    checkpoint = None if has_best else checkpoints.Checkpoints(directory.checkpoints).newest()
    if not has_best and not (checkpoint and checkpoint.step):
        raise ValueError(f"{directory.path} has no weights: nothing was trained yet. Run tfvae-train on it first.")
    data = load.load(experiment.data, split)
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
    count = checkpoints.load_some_weights(directory.best_weights, wanted)
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
