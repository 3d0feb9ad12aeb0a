"""Values without meaning: refused by the field's name before anything is written, or they train a step."""

import dataclasses
import json
import re

import numpy as np
import pytest

from tests import field_values, presets
from tests.field_values import VALUES, changed, names, refusal
from tfvae import experiment as experiments
from tfvae.configs import adgm_moons, dgdn_digits, drmm_digits, m1m2_mnist, m2_mnist, sdgm_digits, vae_digits
from tfvae.run.directory import RunDirectory
from tfvae.training import trainer

FIELDS = field_values.fields()
NAN = float("nan")


def test_every_preset_is_accepted_at_every_size():
    for preset, size, experiment in field_values.every_experiment():
        assert refusal(experiment) is None, (preset, size)


@pytest.mark.parametrize("value", VALUES, ids=[repr(value) for value in VALUES])
def test_a_value_is_refused_by_the_name_of_its_field_or_accepted(value, survives):
    with survives(f"57 {value!r} in every field"):
        told = {field: refusal(field.experiment(value)) for field in FIELDS}
        nameless = [f"{field}: {said}" for field, said in told.items() if said and not names(field, said)]
        assert not nameless
        assert all(value == value or said for said in told.values()), "NaN is accepted somewhere"


def test_numbers_take_no_nonsense():
    """A field of a number refuses other types, NaN and infinity, whatever its range."""
    kinds = {int: 0, float: 0}
    for field in FIELDS:
        kind = next(of.type for of in dataclasses.fields(field.kind) if of.name == field.name)
        if kind not in kinds:
            continue
        kinds[kind] += 1
        wrong = [value for value in VALUES if isinstance(value, bool) or not isinstance(value, int | float)]
        wrong += [value for value in VALUES if isinstance(value, float) and not np.isfinite(value)]
        wrong += [0.5] if kind is int else []
        accepted = [value for value in wrong if refusal(field.experiment(value)) is None]
        assert not accepted, f"{field} takes {accepted}"
    assert min(kinds.values()) > 50


@pytest.mark.parametrize(
    ("preset", "path", "value", "told"),
    [
        (sdgm_digits, "model.beta", -1, "`model.beta` must be a number in [0, 1e+06], got -1."),
        (dgdn_digits, "model.temperature", -1, "`model.temperature` must be"),
        (sdgm_digits, "data.labelled_batch", 0, "`data.labelled_batch` must be above 0, got 0"),
        (adgm_moons, "data.labelled_batch", 0, "use a `vae` preset"),
        (m2_mnist, "data.labelled_batch", 0, "use a `vae` preset"),
        (m1m2_mnist, "data.labelled_batch", 0, "use a `vae` preset"),
        (drmm_digits, "data.labelled_batch", 0, "set `model.label_weight=0`"),
        (dgdn_digits, "data.labelled_batch", 0, "set `model.label_weight=0`"),
        (vae_digits, "data.unlabelled_batch", 10**12, "`data.unlabelled_batch` must be an integer in [0, 10000000]"),
        (vae_digits, "model.network.hidden", (10**12,), "`model.network.hidden` must be a tuple of integers"),
        (vae_digits, "model.network", None, "`model.network` must be a config of `tfvae.networks`"),
        (vae_digits, "training.start_from", "x", "`training.start_from` names 'x', which does not exist"),
        (vae_digits, "data.more_images", "x", "`data.more_images` names 'x', which does not exist"),
        (vae_digits, "data.entries", ("x",), "There is no entry 'x'"),
        (sdgm_digits, "model.hiden", 3, "There is no field `model.hiden`"),
    ],
)
def test_nonsense_writes_nothing(preset, path, value, told, tmp_path):
    experiment = changed(preset.get_config("tiny"), path, value)
    with pytest.raises(ValueError, match=re.escape(told)):
        trainer.train(experiment, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("model/beta", -1, "`model.beta` must be"), ("model/beta", NAN, "got nan"), ("model/beta", "x", "got 'x'"),
        ("model/network", [], "`model.network` must be a JSON object"), ("model/network/hidden", 5, "got 5"),
        ("model/network/hidden", [0], "got (0,)"), ("data/transforms", {"image_b": 1}, "`data.transforms.image_b`"),
        ("data/transform", None, "`data.transform` must be a JSON object"), ("model", [], "`model` must be a JSON"),
        ("training/players", {"m": 3}, "`training.players.m`"), ("training/epochs", 1.5, "`training.epochs` must be"),
        ("training/players", 3, "`training.players`"), ("data", "x", "`data` must be a JSON object"),
        ("model/type", 3, "must be a config of `tfvae.models`"),
    ],
)  # fmt: skip
def test_a_config_that_is_read_back_passes_the_same_check(path, value, told, tmp_path):
    fields = json.loads(json.dumps(experiments.to_dict(presets.tiny("sdgm_digits"))))
    holder = fields
    *groups, name = path.split("/")
    for group in groups:
        holder = holder[group]
    holder[name] = value
    with pytest.raises(ValueError, match=re.escape(told)):
        experiments.from_dict(fields)
    directory = RunDirectory(tmp_path)
    directory.split.write_text("{}")
    # Of an empty split.
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    directory.config.write_text(json.dumps({"experiment": fields, "split_sha256": sha256}))
    told = "NaN is no JSON" if value is NAN else told
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        directory.read()
    assert str(directory.config) in str(error.value)


def _some():
    """A few of the accepted values, the same every time: one of every twentieth field that has any."""
    each = {}
    for field, value in field_values.accepted():
        each.setdefault(field, (field, value))
    return list(each.values())[::20]


def test_some_accepted_values_train_a_step():
    """`python -m tests.field_values` takes a step of all of them."""
    for field, value in _some():
        said = field_values.take_step(field, value)
        assert not said or names(field, said), f"{field}={value!r}: {said}"
