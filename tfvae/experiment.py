"""An experiment is a typed config: which model, which data, how it is trained."""

import dataclasses
import importlib
import json
from typing import Any

from tfvae.data.load import Config as DataConfig
from tfvae.training.settings import Config as TrainingConfig


@dataclasses.dataclass
class Experiment:
    """What a preset returns and `config.json` holds.

    model: the `Config` of one of `tfvae.models`; its `build(info, seed)` makes the model.
    """

    model: Any
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)


def check_size(size, *known):
    """Raises ValueError for a size, the part of `--config=preset.py:size` behind the colon, that a preset lacks."""
    if size not in known:
        raise ValueError(f"This preset has the sizes {list(known)}, got {size!r}.")


def to_dict(experiment):
    """Plain JSON values; the model's config type is kept by name."""
    fields = dataclasses.asdict(experiment)
    kind = type(experiment.model)
    return {**fields, "model": {"type": f"{kind.__module__}.{kind.__qualname__}", **fields["model"]}}


def from_dict(fields):
    """The inverse of `to_dict`.

    Raises:
        ValueError: for a model type that is no config of `tfvae.models`, or a field that the config does not have.
    """
    model = dict(fields["model"])
    module, _, name = model.pop("type").rpartition(".")
    if not module.startswith("tfvae.models."):
        raise ValueError(f"The model type must be a config of `tfvae.models`, got {module}.{name}.")
    kind = getattr(importlib.import_module(module), name)
    return Experiment(
        model=_fill(kind, model),
        data=_fill(DataConfig, fields["data"]),
        training=_fill(TrainingConfig, fields["training"]),
    )


def _fill(kind, values):
    names = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{kind.__module__}.{kind.__name__} has no field {unknown}; it has {sorted(names)}.")
    defaults = kind()
    filled = {}
    for name, value in values.items():
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default):
            value = _fill(type(default), value)
        elif isinstance(default, tuple):
            value = tuple(value)
        filled[name] = value
    return kind(**filled)


def digest(experiment):
    """The experiment as one canonical JSON line, to compare two of them."""
    return json.dumps(to_dict(experiment), sort_keys=True)
