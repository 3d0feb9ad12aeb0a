"""An experiment is a typed config: which model, which data, how it is trained."""

import dataclasses
import importlib
import json
from typing import Any

from tfvae.data.load import Config as DataConfig
from tfvae.settings import Config as TrainingConfig
from tfvae.settings import Player, Players

# What older runs call types and fields that have other names now: config.json of 0.1 is read as it was written.
_FORMER_TYPES = {
    "tfvae.models.auxiliary.Config": "tfvae.models.adgm.Config",
    "tfvae.models.auxiliary.AuxiliaryVAEConfig": "tfvae.models.auxiliary_vae.Config",
    "tfvae.models.stacked.Config": "tfvae.models.m1m2.Config",
}
# What a field meant before there was one: its default would change a run that began without it.
_FORMER_DEFAULTS = {
    "tfvae.models.stein.Config": {"own": "in", "weigh_prior": True},
    "tfvae.models.dgdn.Config": {"weigh_prior": True},
}
_FORMER_FIELDS = {
    "tfvae.data.load.Config": {"moons_noise": "points_noise"},
    "tfvae.models.dgdn.Config": {"estimator": "map_gradient"},
}


@dataclasses.dataclass
class Experiment:
    """Model, data and training: what a preset returns and `config.json` holds.

    model: the `Config` of one of `tfvae.models`; its `build(info, seed)` makes the model.
    """

    model: Any
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)


def check_size(size, *known):
    """Checks the size of a preset, the part of `--config=preset.py:size` behind the colon.

    Raises:
        ValueError: if the preset does not have it.
    """
    if size not in known:
        raise ValueError(f"This preset has the sizes {list(known)}, got {size!r}.")


def to_dict(experiment):
    """Plain JSON values; the types of the model's config and of the networks in it are kept by name."""
    return {**dataclasses.asdict(experiment), "model": _typed(experiment.model)}


def from_dict(fields):
    """The inverse of `to_dict`.

    Raises:
        ValueError: if the model's type is not a config of `tfvae.models`, or the config lacks a field.
    """
    kind, model = _kind(fields["model"], "tfvae.models.")
    return Experiment(
        model=_fill(kind, model),
        data=_fill(DataConfig, fields["data"]),
        training=_fill(TrainingConfig, fields["training"]),
    )


def _typed(config):
    """A dataclass as a dict with its type's name, and those of dataclasses in it that are not of the default's type."""
    kind, defaults = type(config), type(config)()
    values = dataclasses.asdict(config)
    for name in values:
        value = getattr(config, name)
        if dataclasses.is_dataclass(value) and type(value) is not type(getattr(defaults, name)):
            values[name] = _typed(value)
    return {"type": f"{kind.__module__}.{kind.__qualname__}", **values}


def _kind(values, package):
    """The type that a dict names, which must be of that package, and the rest of the dict."""
    module, _, name = _FORMER_TYPES.get(values["type"], values["type"]).rpartition(".")
    if not module.startswith(package):
        raise ValueError(f"The type must be a config of `{package.rstrip('.')}`, got {module}.{name}.")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no config {module}.{name}: {error}") from error
    if not dataclasses.is_dataclass(kind):
        raise ValueError(f"{module}.{name} is not a config.")
    return kind, {k: v for k, v in values.items() if k != "type"}


def _fill(kind, values):
    names = {field.name: field for field in dataclasses.fields(kind)}
    former = _FORMER_FIELDS.get(f"{kind.__module__}.{kind.__qualname__}", {})
    values = {former.get(name, name): value for name, value in values.items()}
    values = {**_FORMER_DEFAULTS.get(f"{kind.__module__}.{kind.__qualname__}", {}), **values}
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{kind.__module__}.{kind.__name__} has no field {unknown}; it has {sorted(names)}.")
    defaults = kind()
    filled = {}
    for name, value in values.items():
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default):
            its_kind, value = _kind(value, "tfvae.networks.") if "type" in value else (type(default), value)
            value = _fill(its_kind, value)
        elif isinstance(default, tuple):
            value = tuple(value)
        elif isinstance(default, Players):
            value = Players({player: _fill(Player, of_player) for player, of_player in value.items()})
        filled[name] = value
    return kind(**filled)


def digest(experiment):
    """The experiment as one canonical JSON line, to compare two of them."""
    return json.dumps(to_dict(experiment), sort_keys=True)
