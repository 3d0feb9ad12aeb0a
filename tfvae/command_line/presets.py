"""Which preset a command line names: one that does not exist is told with those that do."""

import difflib
import importlib.util
import os
from pathlib import Path

from tfvae import configs


def named(argv):
    """(path, size) of `--config=path:size`; the size is None without one, the path "" without a preset."""
    for i, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name in ("--config", "-config"):
            value = value if equals else "".join(argv[i + 1 : i + 2])
            path, colon, size = value.partition(":")
            return path, size if colon else None
    return "", None


def installed():
    """The presets that come with tfvae, as files."""
    return sorted(Path(file) for folder in configs.__path__ for file in Path(folder).glob("[!_]*.py"))


def resolved(argv):
    """The command line with the file of a preset in the place of its name: `--config=sdgm_digits:tiny`.

    Raises:
        ValueError: if there is no such preset.
    """
    path, size = named(argv)
    if not path or os.path.isfile(path):
        return list(argv)
    known = installed()
    file = next((file for file in known if file.stem == path), None)
    if file is None:
        raise ValueError(_missing(path, known))
    value, argv = f"{file}:{size}" if size is not None else str(file), list(argv)
    for i, argument in enumerate(argv):
        name, equals, _ = argument.partition("=")
        if name in ("--config", "-config"):
            argv[i : i + (1 if equals else 2)] = [f"--config={value}"]
            return argv
    return argv


def _missing(path, known):
    near = difflib.get_close_matches(Path(path).stem, [file.stem for file in known], n=1)
    meant = "".join(f" Did you mean {name}?" for name in near)
    names = ", ".join(file.stem for file in known)
    return f"There is no preset {path}.{meant} The presets are {names}; a file of your own is named by its path."


def load(argv):
    """The experiment of the preset before any override, or None without a preset."""
    path, size = named(resolved(argv))
    if not path:
        return None
    spec = importlib.util.spec_from_file_location("preset", path)
    preset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(preset)
    return preset.get_config() if size is None else preset.get_config(size)
