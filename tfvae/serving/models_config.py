"""`models.config`: which models a server serves, beside them."""

import pathlib
import re

from tfvae.storage import atomic

FILE_NAME = "models.config"

_MODEL = """\
  config {{
    name: "{name}"
    base_path: "{base_path}/{name}"
    model_platform: "tensorflow"
  }}
"""


def update(directory: atomic.PathLike, base_path: str = "/models") -> pathlib.Path:
    """Adds the models that `models.config` does not list yet; what it lists, with its policies and labels, stays.

    Args:
        directory: that holds a directory for every model, with an integer version in it.
        base_path: where the server sees `directory`.

    Returns:
        pathlib.Path of the file.

    Raises:
        ValueError: if the file does not end with the list of models.
    """
    directory = pathlib.Path(directory)
    path = directory / FILE_NAME
    text = path.read_text() if path.is_file() else "model_config_list {\n}\n"
    listed = set(re.findall(r'^\s*name\s*:\s*"([^"]*)"', text, re.MULTILINE))
    blocks = [_MODEL.format(name=n, base_path=base_path.rstrip("/")) for n in _models(directory) if n not in listed]
    head, brace, tail = text.rpartition("}")
    if not brace or "model_config_list" not in head or tail.strip():
        raise ValueError(
            f"{path} must end with the closing brace of `model_config_list {{ ... }}`, got {text[-40:]!r}. "
            "Repair it, or delete it to have it written anew."
        )
    # Whole or not at all: a server that polls the file never reads half of it.
    atomic.write_bytes(path, (head + "".join(blocks) + brace + tail).encode())
    return path


def _models(directory: pathlib.Path) -> list[str]:
    return sorted(
        model.name
        for model in directory.iterdir()
        if model.is_dir() and any(version.name.isdigit() for version in model.iterdir())
    )
