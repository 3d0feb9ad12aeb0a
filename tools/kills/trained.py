"""A training whose model is a few numbers that every step moves: all that is written is written by the real code."""

import contextlib
import types
from unittest import mock

import keras
import numpy as np

from tfvae.configs import sdgm_digits
from tfvae.data import load
from tfvae.evaluation import calibration
from tfvae.run import directory
from tfvae.storage import atomic
from tfvae.training import callbacks, projector, trainer

_STEPS = 2  # An epoch.


class Variable:
    """What a checkpoint holds of one: no TensorFlow, whose threads a child of a process would wait for."""

    def __init__(self, path, value):
        self.path, self.value = path, np.asarray(value, np.float32)
        self.shape, self.dtype = self.value.shape, self.value.dtype

    def assign(self, value):
        self.value = np.array(value, self.dtype)

    def __array__(self, *args, **kwargs):
        return np.array(self.value, *args, **kwargs)


class Model:
    """As much of a model as training asks for."""

    seed, metrics, stop_training, distribute_strategy = 0, (), False, None

    def __init__(self):
        self.variables = [Variable("net/kernel", np.zeros([3, 2])), Variable("net/bias", np.ones(2))]
        self.optimisers = {"model": types.SimpleNamespace(variables=[Variable("adam/m", np.zeros([3, 2]))])}
        self.step = Variable("step", 0)

    def learner(self):
        return None

    def players(self):
        return {"model": types.SimpleNamespace(begins=0)}

    def initialise(self, images):
        del images

    def begin_epoch(self, epoch, images):
        del epoch, images

    def can(self, capability):
        del capability
        return False

    def fit(self, batches, initial_epoch, epochs, steps_per_epoch, callbacks, **kwargs):
        del batches, kwargs
        for callback in callbacks:
            callback.set_model(self)
        for epoch in range(initial_epoch, epochs):
            _call(callbacks, "on_epoch_begin", epoch)
            for batch in range(steps_per_epoch):
                self._move()
                _call(callbacks, "on_train_batch_end", batch, {"loss": 1.0})
            logs = {"loss": 1.0}
            _call(callbacks, "on_epoch_end", epoch, logs)
            if self.stop_training:
                break

    def _move(self):
        step = int(self.step.value) + 1
        self.step.assign(step)
        for variable in (*self.variables, *self.optimisers["model"].variables):
            variable.assign(0.5 * variable.value + step)


def _call(callbacks, name, *given):
    for callback in callbacks:
        getattr(callback, name)(*given)


class Validation(keras.callbacks.Callback):
    """Epochs 1, 2 and 4 are better than those before them."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_error"] = [0.5, 0.4, 0.6, 0.3, 0.35, 0.31, 0.32][epoch]


class Pictures(keras.callbacks.Callback):
    """TensorFlow's own files of TensorBoard are logs, to which another attempt adds."""

    def finish(self, model, epoch):
        pass


def experiment(epochs):
    made = sdgm_digits.get_config("tiny")
    made.training.epochs, made.training.steps_per_epoch, made.training.monitor = epochs, _STEPS, "error"
    return made


def train(workdir, epochs):
    """`tfvae.training.trainer.train` of the made-up model."""
    with contextlib.ExitStack() as stack:
        for owner, fakes in (
            (load, {"load": lambda config, frozen=None: _DATA}),
            (directory, {"_git_revision": lambda: "abc"}),
            (trainer, {"compiled": lambda *given: Model(), "_check_monitor": lambda *given: None,
                       "_roles": lambda data: "", "initial_images": lambda data: None,
                       "Validation": lambda *given: Validation()}),
            (trainer.devices, {"strategy": lambda num: types.SimpleNamespace(scope=contextlib.nullcontext),
                               "training_batches": lambda *given: None}),
            (trainer.tensorboard, {"describe": _describe, "finish": _finish, "Pictures": lambda *given: Pictures(),
                                   "Scalars": lambda *given: Pictures()}),
            (callbacks.optimiser, {"learning_rates": lambda model: {"learning_rate": 0.1}}),
            (calibration, {"fit": lambda model, data: calibration.Calibration(2.0, 3, (0.5, 1.5), {})}),
        ):  # fmt: skip
            stack.enter_context(mock.patch.multiple(owner, **fakes))
        trainer.train(experiment(epochs), workdir)


def _describe(log_dir, experiment, data):
    del experiment, data
    if not (log_dir / "described").exists():
        log_dir.mkdir(exist_ok=True)
        atomic.write_bytes(log_dir / "described", b"")


def _finish(log_dir, model, data):
    del data
    for name in ("labels.tsv", "codes.tsv"):
        atomic.write_bytes(log_dir / name, projector._table(np.asarray(model.variables[0])).encode())


_DATA = load.load(experiment(1).data)
