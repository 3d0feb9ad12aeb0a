"""Training an experiment in a run directory, from its start or from where it was stopped."""

import keras
import numpy as np
from absl import logging

from tfvae import ranges
from tfvae.batch import CAPTIONED, IMAGE, LABELLED, UNLABELLED
from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import calibration, labels, tagging
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.storage import atomic, checkpoints
from tfvae.training import devices, optimiser, tensorboard
from tfvae.training.callbacks import Beginnings, Epochs, Steps, Validation
from tfvae.training.chain import Chain, Draws
from tfvae.training.chain import check as check_chain
from tfvae.training.epoch_lines import EpochLines
from tfvae.training.interruption import Interruption
from tfvae.training.nan_guard import NanGuard
from tfvae.training.state import TrainingState

# Says, in TensorBoard's directory, that the pictures of the best weights were drawn.
_DRAWN = "drawn"


def train(experiment, workdir, test_elsewhere=False, callbacks=()):
    """Trains until the last epoch or until patience ends, and resumes what is there.

    A run that was killed at any point and is started again ends bit for bit where the uninterrupted one would have.

    Args:
        experiment: `tfvae.experiment.Experiment`.
        workdir: the run directory; made where there is none.
        test_elsewhere: whether others hold the test rows, so that nobody is told that there are none.
        callbacks: own `keras.callbacks.Callback`s. They come after validation and before what is written: what they
            add to the logs of an epoch stands in `metrics.jsonl` and TensorBoard.

    Returns:
        The last line of `metrics.jsonl`, with "best_epoch" and "best_<monitor>".

    Raises:
        ValueError: for callbacks that are not Keras', an experiment that `tfvae.ranges.check` refuses, a run directory
            of another one, other data or another split, one that another process uses, or a loss that is not finite.
        OSError: where a file cannot be written.
        SystemExit: 143 or 130 after SIGTERM or SIGINT, when a checkpoint was saved.
    """
    settings = experiment.training
    ranges.check(experiment)
    _check_callbacks(callbacks)
    directory = RunDirectory(workdir)
    if not directory.config.exists():
        ranges.check_places(experiment)
    with Interruption() as interruption, directory.lock():
        data = directory.load_data(experiment)
        strategy = devices.strategy(settings.num_replicas)
        steps_per_epoch = settings.steps_of_epoch(data.steps_per_epoch)
        with strategy.scope():
            model = compiled(experiment, data, steps_per_epoch)
        _check_monitor(settings.monitor, model, data)
        if not checkpoints.Checkpoints(directory.checkpoints, settings.keep_checkpoints).steps():
            model.initialise(initial_images(data))
            if settings.start_from:
                opening.start_from(settings.start_from, model)
        directory.record(experiment, data)
        chain = None if model.learner() is None else Chain(model, settings.seed)
        state = TrainingState(model, directory, settings, steps_per_epoch, chain)
        state.resume()
        if state.step:
            logging.info("Going on after step %d (epoch %d).", state.step, state.epoch)
        began_at = state.step
        if not len(data.test) and experiment.data.source != "nothing" and not test_elsewhere:
            logging.warning(
                "There are no test rows, so tfvae-evaluate will measure validation rows. Give some images the split "
                "`test`: by a column of the metadata, a folder `test/`, a `captions_test*.json` or a `dataset_*.json`."
            )
        logging.info("%s; the first step takes a while, because it is compiled.", _roles(data))
        tensorboard.describe(directory.tensorboard, experiment, data)
        pictures = tensorboard.Pictures(data, directory.tensorboard, settings.figures_epochs, settings.seed)
        if state.is_to_go_on:
            # Before the first new step: however far the run comes, what is drawn of older weights is drawn anew.
            (directory.tensorboard / _DRAWN).unlink(missing_ok=True)
        _fit(state, experiment, data, interruption, pictures, chain, callbacks)
        if state.step > began_at or not (directory.tensorboard / _DRAWN).exists():
            _finish(state, data, pictures)
        best = {"best_epoch": state.monitor.best_epoch, f"best_{settings.monitor}": state.monitor.best}
        return {**state.log.lines()[-1], **best}


def initial_images(data):
    """Observations of training rows that a model may begin from: the first 2,000."""
    return data.observe(data.train.take(np.flatnonzero(data.train.has(IMAGE))[:2000]))


def compiled(experiment, data, steps_per_epoch):
    """The model with an optimiser a player, all built; with none where a chain learns it."""
    settings = experiment.training
    model = opening.build_model(experiment, data)
    optimisers = None
    if model.learner() is None:
        optimisers = optimiser.of_players(settings, steps_per_epoch, model.players())
    else:
        check_chain(settings)
    # A round asks XLA for what it does faster; Keras would compile the optimiser with it, which is slower.
    model.compile(
        optimizer=optimisers,
        jit_compile=False,
        steps_per_execution=settings.steps_per_execution,
        auto_scale_loss=False,
    )
    return model


def _fit(state, experiment, data, interruption, pictures, chain, own=()):
    """Keras' `fit` over what is left; the rest of an epoch that was interrupted is a `fit` of its own."""
    settings = experiment.training
    guard = NanGuard(state, data, settings, chain)
    callbacks = [
        Steps(state, interruption, guard.training, settings.steps_per_execution),
        Beginnings(state, data, settings.seed),
        *([Draws(state, chain)] if chain else []),
        Validation(data, guard.validation),
        *own,
        tensorboard.Scalars(state.directory.tensorboard),
        pictures,
        Epochs(state, interruption, settings),
        EpochLines(state, settings, rows=len(labels.labelled(data.validation))),
    ]
    interruption.waits = True
    stopped = False
    while state.is_to_go_on and not stopped:
        done_in_epoch = state.step % state.steps_per_epoch
        state.model.fit(
            devices.training_batches(state.model.distribute_strategy, data, settings.seed, state.step),
            initial_epoch=state.epoch,
            epochs=state.epoch + 1 if done_in_epoch else settings.epochs,
            steps_per_epoch=state.steps_per_epoch - done_in_epoch,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,  # `EpochLines` tells.
        )
        stopped = state.model.stop_training  # By an own callback.
    interruption.waits = False
    if interruption.requested:
        interruption.exit()


def _finish(state, data, pictures):
    """What is drawn and fitted once, of the best weights."""
    log_dir = state.directory.tensorboard
    checkpoints.load_weights(state.directory.best_weights, state.model)
    calibration.store(state.model, data, state.directory.path)
    pictures.finish(state.model, state.epoch)
    tensorboard.finish(log_dir, state.model, data)
    atomic.write_bytes(log_dir / _DRAWN, b"")


def _check_monitor(monitor, model, data):
    """Raises ValueError where the monitored metric cannot be measured."""
    if not len(data.validation):
        raise ValueError(
            "There are no validation rows to choose the best weights by, and test rows are not used for that. Set "
            "`data.num_validation` above 0."
        )
    if monitor == "error" and not model.can(Capability.CLASSIFY):
        raise ValueError(f"{type(model).__name__} does not classify: set `training.monitor=bound`.")
    told = {metric.name for metric in model.metrics}
    if monitor in ("reconstruction_error", "sample_distance") and monitor not in told:
        raise ValueError(f"{type(model).__name__} does not report `{monitor}`: set `training.monitor=bound`.")
    if monitor == "bound" and model.can(Capability.CRITIC) and monitor not in told:
        raise ValueError(f"{type(model).__name__} has no bound: set `training.monitor=sample_distance`.")
    if monitor == "perplexity" and not model.can(Capability.CAPTION):
        raise ValueError("This model has no captions: set `model.caption_weight` where it has one, or another monitor.")
    if monitor == "perplexity" and not len(data.validation.captioned()):
        raise ValueError("No validation row has a caption: set `training.monitor=bound`, or caption some.")
    if monitor == "tag_map" and not model.can(Capability.TAG):
        raise ValueError("This model has no tags: set `model.tag_weight` where it has one, or another monitor.")
    if monitor == "tag_map" and not len(tagging.tagged(data.validation)):
        raise ValueError("No validation row has a tag: set `training.monitor=bound`, or tag some.")
    if monitor == "error" and (data.validation.label == NO_LABEL).all():
        raise ValueError("No validation row has a label: set `training.monitor=bound`, or give some rows labels.")


def _check_callbacks(callbacks):
    """Raises ValueError for what `fit` would not call."""
    wrong = [callback for callback in callbacks if not isinstance(callback, keras.callbacks.Callback)]
    if wrong:
        raise ValueError(
            f"`callbacks` are objects of classes that derive from keras.callbacks.Callback, got {wrong[0]!r}. For a "
            "function there is keras.callbacks.LambdaCallback."
        )


def _roles(data):
    """How many rows have which role, for people."""
    told = {*data.split[LABELLED], *data.split[CAPTIONED]}.intersection(data.split[UNLABELLED])
    twice = {UNLABELLED: f" ({len(told):,} of them the labelled or captioned ones)"} if told else {}
    used = " and ".join(f"{spec.num_rows:,} {stream}{twice.get(stream, '')}" for stream, spec in data.streams.items())
    return (
        f"Training on {used} rows ({data.info.num_train:,} in all), {len(data.validation):,} for validation, "
        f"{len(data.test):,} for the test"
    )
