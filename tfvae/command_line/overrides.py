"""Which fields of a preset a command line sets: one that does not exist is told with those that do, and one that is out
of its range with what it may be.
"""

import dataclasses
import difflib
import functools
import re

from absl import flags
from ml_collections import config_flags

from tfvae import ranges, settings
from tfvae.command_line import presets

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)")
_OF_PLAYER = re.compile(r"training\.players\.(\w+)\.")


@dataclasses.dataclass
class _Training:
    """The part of an experiment that is known without its preset."""

    training: settings.Config = dataclasses.field(default_factory=settings.Config)


def check(config):
    """Checks what a preset returned, with what the command line set.

    Raises:
        ValueError: for what is no experiment, or one that `tfvae.ranges.check` refuses.
    """
    if not dataclasses.is_dataclass(config):
        raise ValueError(f"A preset gives a `tfvae.experiment.Experiment`, got {type(config).__name__}.")
    ranges.check(config)


def check_training(argv):
    """Checks the fields of the training that a command line sets, which needs no preset.

    Raises:
        ValueError: for the first that is out of its range.
        absl.flags.Error: for the first that is of another type.
    """
    values = flags.FlagValues()
    asked = [argument for argument in argv if re.match(r"--?config\.training\.", argument)]
    try:
        held = config_flags.DEFINE_config_dataclass("config", _Training(), flag_values=values, sys_argv=asked)
        values(["", *asked])
    except (AttributeError, KeyError):
        return  # A field that does not exist is told with those of the preset.
    ranges.check(held.value)


def refused(argv, name, value):
    """The error of a text that is no value of its field; "" for one that is not declared, of a dict by names."""
    config = _Training() if name.startswith("training.") else presets.load(argv)
    *groups, last = name.split(".")
    for group in groups:
        config = config[group] if isinstance(config, dict) else getattr(config, group)
    if not dataclasses.is_dataclass(config):
        return ""
    field = next(field for field in dataclasses.fields(config) if field.name == last)
    return ranges.refusal(name, field, value)


def unknown(argv):
    """The error of the first override of a field that the preset does not have, or ""."""
    config = presets.load(argv)
    if not dataclasses.is_dataclass(config):
        return ""
    fields = [match[1] for match in map(_OVERRIDE.match, argv) if match]
    known = [*_dotted(config), *_of_players(fields)]
    return next((_told(field, known) for field in fields if field not in known), "")


def _told(field, known):
    """Only the last name is compared: that of a field looked for in another group is the same."""
    asked = field.rpartition(".")[2]
    group = field.partition(".")[0]
    last = [name.rpartition(".")[2] for name in known]
    close = difflib.get_close_matches(asked, last, n=1)
    near = [name for name, its_last in zip(known, last) if its_last in close]
    near = [name for name in near if name.rpartition(".")[0] == field.rpartition(".")[0]] or near
    if not any(name.startswith(f"{group}.") for name in near):  # A part of a name in its own group is nearer.
        near = [name for name in known if name.startswith(f"{group}.") and asked in name.rpartition(".")[2]] or near
    if near:
        return f"The preset has no field {field}. Did you mean {' or '.join(f'--config.{name}' for name in near)}?"
    there = [name for name in known if name.startswith(f"{group}.")] or known
    return f"The preset has no field {field}. It has {', '.join(there)}."


def _of_players(fields):
    """The fields of the players that are named; whether the model has them is known when it is built."""
    named = dict.fromkeys(match[0] for match in map(_OF_PLAYER.match, fields) if match)
    return [f"{player}{field.name}" for player in named for field in dataclasses.fields(settings.Player)]


def values(config):
    """(dotted name, value) of every field of nested dataclasses that is no group."""
    for name in _dotted(config):
        value = functools.reduce(getattr, name.split("."), config)
        if not dataclasses.is_dataclass(value):
            yield name, value


def _dotted(config, prefix=""):
    """Every field of nested dataclasses, groups too, as `model` and `model.network.hidden`."""
    for field in dataclasses.fields(config):
        yield f"{prefix}{field.name}"
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _dotted(value, f"{prefix}{field.name}.")
