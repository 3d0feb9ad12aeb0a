"""An experiment is a typed config: which model, which data, how it is trained."""

import dataclasses
import importlib
import json
import typing
from typing import Any

from tfvae import ranges
from tfvae.data.load import Config as DataConfig
from tfvae.settings import Config as TrainingConfig

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

    `tfvae.ranges.check` holds it to what every field may be.

    Args:
        model: the `Config` of one of `tfvae.models`; its `build(info, seed)` makes the model.
        data: which data, and how they are batched.
        training: how the model is trained.
    """

    model: Any = ranges.field(allowed=ranges.Part("a config of `tfvae.models`", ("build",)))
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)

    def validate(self):
        """Checks that batches have what the model learns from.

        Raises:
            ValueError: if they lack a stream.
        """
        sizes = self.data.batch_sizes()
        for stream, instead in getattr(self.model, "streams", dict)().items():
            if not sizes.get(stream):
                setting = f"data.{stream}_batch" if f"{stream}_batch" in vars(self.data) else f"data.batches.{stream}"
                raise ValueError(
                    f"`{setting}` must be above 0, got 0: this model learns of {stream} images. Without any, {instead}."
                )


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
        ValueError: if the model's type is not a config of `tfvae.models`, the config has a field that there is not, or
            `tfvae.ranges.check` refuses a value.
    """
    fields = _object(fields, "the experiment")
    lacking = [name for name in ("model", "data", "training") if name not in fields]
    if lacking:
        raise ValueError(f"The experiment lacks `{lacking[0]}`.")
    kind, model = _kind(fields["model"], "tfvae.models.", "model")
    experiment = Experiment(
        model=_fill(kind, model, "model"),
        data=_fill(DataConfig, fields["data"], "data"),
        training=_fill(TrainingConfig, fields["training"], "training"),
    )
    ranges.check(experiment)
    return experiment


def _typed(config):
    """A dataclass as a dict with its type's name, and those of dataclasses in it that are not of the default's type."""
    kind, defaults = type(config), type(config)()
    values = dataclasses.asdict(config)
    for name in values:
        value = getattr(config, name)
        if dataclasses.is_dataclass(value) and type(value) is not type(getattr(defaults, name)):
            values[name] = _typed(value)
    return {"type": f"{kind.__module__}.{kind.__qualname__}", **values}


def _kind(values, package, path):
    """The type that a dict names, which must be of that package, and the rest of the dict."""
    named = str(_object(values, path).get("type"))
    module, _, name = _FORMER_TYPES.get(named, named).rpartition(".")
    if not module.startswith(package):
        raise ValueError(f"The type of `{path}` must be a config of `{package.rstrip('.')}`, got {named}.")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no config {module}.{name}: {error}") from error
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise ValueError(f"{module}.{name} is not a config.")
    return kind, {k: v for k, v in values.items() if k != "type"}


def _fill(kind, values, path):
    """A config of these plain values, those of its parts filled too; `tfvae.ranges.check` looks at the others."""
    names = {field.name: field for field in dataclasses.fields(kind)}
    former = _FORMER_FIELDS.get(f"{kind.__module__}.{kind.__qualname__}", {})
    values = {former.get(name, name): value for name, value in _object(values, path).items()}
    values = {**_FORMER_DEFAULTS.get(f"{kind.__module__}.{kind.__qualname__}", {}), **values}
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{kind.__module__}.{kind.__name__} has no field {unknown}; it has {sorted(names)}.")
    defaults = kind()
    return kind(**{
        name: _filled(names[name].type, getattr(defaults, name), value, f"{path}.{name}")
        for name, value in values.items()
    })  # fmt: skip


def _filled(kind, default, value, path):
    """The value of a field of this type and default, from JSON."""
    part = typing.get_args(kind)[-1] if typing.get_origin(kind) is dict else None
    if dataclasses.is_dataclass(default):
        named = isinstance(value, dict) and "type" in value
        its_kind, value = _kind(value, "tfvae.networks.", path) if named else (type(default), value)
        return _fill(its_kind, value, path)
    if dataclasses.is_dataclass(part):
        return type(default)({name: _fill(part, of, f"{path}.{name}") for name, of in _object(value, path).items()})
    return tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value


def _object(value, path):
    if not isinstance(value, dict):
        raise ValueError(f"`{path}` must be a JSON object, got {type(value).__name__}.")
    return value


def digest(experiment):
    """The experiment as one canonical JSON line, to compare two of them."""
    return json.dumps(to_dict(experiment), sort_keys=True)
