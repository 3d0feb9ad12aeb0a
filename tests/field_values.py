"""Every field that a preset reaches × fourteen values that mean nothing or little: refused by name, or trains a step.

The suite checks all refusals, and a step of some accepted values. `python -m tests.field_values` takes a step of all,
and says which fail; arguments are parts of fields' names to look at alone.
"""

import copy
import dataclasses
import functools
import importlib
import sys
import time
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tests import presets
from tfvae import ranges
from tfvae.data import load
from tfvae.probability import noise
from tfvae.training import devices, trainer

VALUES = (
    float("nan"), float("inf"), float("-inf"), -1, 0, 0.5, 10**12, "", "x", None, [], [0], True, {"x": 1},
)  # fmt: skip


class Field(NamedTuple):
    """A field of a config.

    kind:   of the config, whose field it is.
    name:   of the field.
    preset: the first that reaches it.
    path:   where, e.g. `model.network.hidden`.
    """

    kind: type
    name: str
    preset: str
    path: str

    def __str__(self):
        return f"{self.kind.__module__}.{self.kind.__name__}.{self.name}"

    def experiment(self, value):
        """The preset's tiny size with this value of the field."""
        return changed(presets.tiny(self.preset), self.path, value)

    def own(self):
        """The value that the preset has."""
        holder, name = _holder(presets.tiny(self.preset), self.path)
        return getattr(holder, name)

    def values(self):
        """`VALUES`, the lists in it as tuples too where the field holds one, as from JSON; not the preset's own."""
        own = self.own()
        tuples = [tuple(value) for value in VALUES if isinstance(value, list)] if isinstance(own, tuple) else []
        return [value for value in (*VALUES, *tuples) if type(value) is not type(own) or value != own]


def changed(experiment, path, value):
    """A copy of an experiment with another value of a dotted field."""
    experiment = copy.deepcopy(experiment)
    holder, name = _holder(experiment, path)
    setattr(holder, name, value)
    return experiment


def _holder(config, path):
    """The config whose field a dotted name is of, and its name there."""
    *groups, name = path.split(".")
    for group in groups:
        config = config[group] if isinstance(config, dict) else getattr(config, group)
    return config, name


@functools.cache
def fields():
    """A `Field` of every field of every kind of config that a preset reaches."""
    found = {}
    for preset in presets.PRESETS:
        experiment = presets.tiny(preset)
        experiment.training.players["model"]  # Makes it, as the command line does.
        for kind, name, path in walk(experiment):
            found.setdefault((kind, name), Field(kind, name, preset, path))
    return list(found.values())


def walk(config, path=""):
    """(kind, name, dotted name) of every field of a config and of those in it."""
    for field in dataclasses.fields(config):
        own, value = f"{path}{field.name}", getattr(config, field.name)
        yield type(config), field.name, own
        held = value.items() if isinstance(value, dict) else []
        for name, part in [("", value), *((f".{name}", part) for name, part in held)]:
            if dataclasses.is_dataclass(part):
                yield from walk(part, f"{own}{name}.")


def every_experiment():
    """(preset, size, experiment) of every size of every preset."""
    for preset in presets.PRESETS:
        get_config = importlib.import_module(f"tfvae.configs.{preset}").get_config
        for size in _sizes(get_config):
            yield preset, size, get_config(size)


def _sizes(get_config):
    try:
        get_config("?")
    except ValueError as error:
        return [word.strip(" '") for word in str(error).partition("[")[2].partition("]")[0].split(",")]
    raise ValueError("This preset takes any size.")


def refusal(experiment):
    """The error that refuses an experiment; None for one that is accepted."""
    try:
        ranges.check(experiment)
    except ValueError as error:
        return str(error)
    return None


def names(field, told):
    """Whether an error says which field it is of."""
    return f"{field.path}`" in told or f"{field.name}`" in told or f"{field.name}=" in told or f"{field.path} " in told


@functools.cache
def embedded(preset):
    """The preset's tiny experiment on embedded data, and these."""
    return presets.embedded(preset)


def take_step(field, value):
    """Trains a step of the preset with this value of the field, on embedded data.

    Returns:
        "" after a step with a finite loss, or what was said before it.

    Raises:
        RuntimeError: where the loss is not finite.
    """
    experiment, data = embedded(field.preset)
    experiment = changed(experiment, field.path, value)
    try:
        ranges.check(experiment)
        ranges.check_places(experiment)
        devices.strategy(experiment.training.num_replicas)
        if field.path.startswith("data."):
            data = load.load(experiment.data)
        model = trainer.compiled(experiment, data, experiment.training.steps_of_epoch(data.steps_per_epoch))
        model.initialise(trainer.initial_images(data))
        batch = next(iter(data.training_batches(experiment.training.seed)))
    except (ValueError, OSError) as error:
        return str(error) or type(error).__name__
    losses = _stepped(model, batch)
    if not all(np.isfinite(loss).all() for loss in losses):
        raise RuntimeError(f"The losses of the first step are {losses}.")
    return ""


def _stepped(model, batch) -> list[Any]:
    learner = model.learner()
    if learner is None:
        report = model.round(batch)
        return [value.numpy() for name, value in report.items() if name.startswith("loss")]
    state = learner.step(learner.init(noise.seed(model.seed)), batch, model.step_seed())
    return [tensor.numpy() for tensor in tf.nest.flatten(state) if tensor.dtype.is_floating]


def accepted():
    """(field, value) of all that `tfvae.ranges.check` lets pass and that is not the preset's own value."""
    for field in fields():
        for value in field.values():
            if refusal(field.experiment(value)) is None:
                yield field, value


def main():
    tf.config.run_functions_eagerly(True)
    began, told, failed = time.monotonic(), {"trained": 0, "refused": 0, "failed": 0}, []
    for field, value in accepted():
        if not any(part in str(field) for part in sys.argv[1:] or [""]):
            continue
        try:
            said = take_step(field, value)
            outcome = "refused" if said else "trained"
            if said and not names(field, said):
                outcome, said = "failed", f"refused without its name: {said}"
        except Exception as error:  # Whatever it is, it is what is looked for.
            outcome, said = "failed", f"{type(error).__name__}: {error}"
        told[outcome] += 1
        failed += [f"{field}={value!r}"] if outcome == "failed" else []
        seconds = time.monotonic() - began
        print(f"{seconds:6.0f} s {outcome} {field}={value!r} ({field.preset}) {said[:300]}", flush=True)
    print(told, *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
