"""`models.config`: which models a server serves, beside them."""

import pathlib

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelConfigList, ModelServerConfig

from tfvae.storage import atomic
from tfvae.storage.disk import PathLike

FILE_NAME = "models.config"
_EMPTY = "model_config_list {\n}\n"


def update(directory: PathLike, base_path: str = "/models") -> pathlib.Path:
    """Adds the models that `models.config` does not list yet; what stands there, comments too, stays as it is.

    Args:
        directory: that holds a directory for every model, with a SavedModel in an integer version of it; others in it
            are not listed.
        base_path: where the server sees `directory`.

    Returns:
        pathlib.Path of the file.

    Raises:
        ValueError: if a server could not read the file, or it configures something else than a list of models.
    """
    directory = pathlib.Path(directory)
    path = directory / FILE_NAME
    text = path.read_text() if path.is_file() else _EMPTY
    there = _parsed(text, path)
    listed = {config.name for config in there.model_config_list.config}
    added = [_config(name, base_path.rstrip("/")) for name in _models(directory) if name not in listed]
    # Whole or not at all: a server that polls the file never reads half of it.
    atomic.write_bytes(path, _with(text, there, added, path).encode())
    return path


def _parsed(text: str, path: pathlib.Path) -> ModelServerConfig:
    try:
        config = text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise ValueError(
            f"{path} is no ModelServerConfig that a server would read: {error}. Repair it, or delete it to have it "
            "written anew."
        ) from error
    if config.HasField("custom_model_config"):
        raise ValueError(f"{path} holds a `custom_model_config`, to which no models can be added: name another folder.")
    return config


def _with(text: str, there: ModelServerConfig, added: list[ModelConfig], path: pathlib.Path) -> str:
    """The text with models at the end of its list: before the bracket after which it means what was there and them."""
    if not added:
        return text
    text = text if there.HasField("model_config_list") else f"{text}{_EMPTY}"
    wanted = ModelServerConfig(model_config_list=ModelConfigList(config=[*there.model_config_list.config, *added]))
    block = text_format.MessageToString(ModelConfigList(config=added), indent=2, as_utf8=True)
    for place in range(len(text) - 1, -1, -1):
        if text[place] in "}>":
            head = text[:place] if text[:place].endswith("\n") else f"{text[:place]}\n"
            found = f"{head}{block}{text[place:]}"
            if _means(found, wanted):
                return found
    raise ValueError(f"{path} has no end of `model_config_list` that a model can be added at. Write it anew.")


def _means(text: str, wanted: ModelServerConfig) -> bool:
    try:
        return text_format.Parse(text, ModelServerConfig()) == wanted
    except text_format.ParseError:
        return False


def _config(name: str, base_path: str) -> ModelConfig:
    return ModelConfig(name=name, base_path=f"{base_path}/{name}", model_platform="tensorflow")


def _models(directory: pathlib.Path) -> list[str]:
    return sorted(
        model.name
        for model in directory.iterdir()
        if model.is_dir() and any(_is_version(folder) for folder in model.iterdir())
    )


def _is_version(folder: pathlib.Path) -> bool:
    """Whether a server would load it: not a folder of photographs of 2024, nor draws of a run."""
    return folder.name.isdigit() and (folder / "saved_model.pb").is_file()
