"""What a command line asks of a preset: a name that does not exist is told with those that do."""

import dataclasses
import difflib
import importlib.util
import os
import re
from pathlib import Path

from tfvae import configs

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)")


def check_file(argv):
    """Raises ValueError where `--config` names no file."""
    path, _ = _preset(argv)
    if not path or os.path.isfile(path):
        return
    known = sorted(Path(file) for folder in configs.__path__ for file in Path(folder).glob("[!_]*.py"))
    near = difflib.get_close_matches(Path(path).stem, [file.stem for file in known], n=1)
    meant = "".join(f" Did you mean {os.path.relpath(file)}?" for file in known if file.stem in near)
    names = ", ".join(file.stem for file in known)
    raise ValueError(
        f"There is no preset {path}.{meant} The presets in {os.path.relpath(known[0].parent)} are {names}."
    )


def unknown_field(argv):
    """What is wrong with the first override of a field that the preset does not have, or ""; runs the preset again."""
    path, size = _preset(argv)
    if not path or not os.path.isfile(path):
        return ""
    spec = importlib.util.spec_from_file_location("preset", path)
    preset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(preset)
    config = preset.get_config(*size)
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


def _preset(argv):
    """(path, (size,) or ()) of `--config`; ("", ()) where there is none."""
    for i, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name in ("--config", "-config"):
            value = value if equals else "".join(argv[i + 1 : i + 2])
            path, *size = value.split(":", 1)
            return path, tuple(size)
    return "", ()


def _dotted(config, prefix=""):
    """Every field of nested dataclasses, groups too, as `model` and `model.network.hidden`."""
    for field in dataclasses.fields(config):
        yield f"{prefix}{field.name}"
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _dotted(value, f"{prefix}{field.name}.")
