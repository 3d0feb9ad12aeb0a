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


def check(argv):
    """Checks that the preset of the command line exists.

    Raises:
        ValueError: if there is no such file; the error names those that there are.
    """
    path, _ = named(argv)
    if not path or os.path.isfile(path):
        return
    known = sorted(Path(file) for folder in configs.__path__ for file in Path(folder).glob("[!_]*.py"))
    near = difflib.get_close_matches(Path(path).stem, [file.stem for file in known], n=1)
    meant = "".join(f" Did you mean {os.path.relpath(file)}?" for file in known if file.stem in near)
    names = ", ".join(file.stem for file in known)
    raise ValueError(
        f"There is no preset {path}.{meant} The presets in {os.path.relpath(known[0].parent)} are {names}."
    )


def load(argv):
    """The experiment of the preset before any override, or None without a preset."""
    path, size = named(argv)
    if not os.path.isfile(path):
        return None
    spec = importlib.util.spec_from_file_location("preset", path)
    preset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(preset)
    return preset.get_config() if size is None else preset.get_config(size)
