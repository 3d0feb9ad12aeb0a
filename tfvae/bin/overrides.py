"""Which fields of a preset a command line sets: one that does not exist is told with those that do."""

import dataclasses
import difflib
import re

from tfvae.bin import presets

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)")


def unknown(argv):
    """The error of the first override of a field that the preset does not have, or ""."""
    config = presets.load(argv)
    if not dataclasses.is_dataclass(config):
        return ""
    known = list(_dotted(config))
    fields = [match[1] for match in map(_OVERRIDE.match, argv) if match]
    return next((_told(field, known) for field in fields if field not in known), "")


def _told(field, known):
    """Only the last name is compared: that of a field looked for in another group is the same."""
    last = [name.rpartition(".")[2] for name in known]
    close = difflib.get_close_matches(field.rpartition(".")[2], last, n=1)
    near = [name for name, its_last in zip(known, last) if its_last in close]
    if near:
        return f"The preset has no field {field}. Did you mean {' or '.join(f'--config.{name}' for name in near)}?"
    group = field.partition(".")[0]
    there = [name for name in known if name.startswith(f"{group}.")] or known
    return f"The preset has no field {field}. It has {', '.join(there)}."


def _dotted(config, prefix=""):
    """Every field of nested dataclasses, groups too, as `model` and `model.network.hidden`."""
    for field in dataclasses.fields(config):
        yield f"{prefix}{field.name}"
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _dotted(value, f"{prefix}{field.name}.")
