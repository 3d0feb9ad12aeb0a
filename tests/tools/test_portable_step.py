"""A training step as an XLA program, and variables that come back from elsewhere."""

import importlib
import json
import pathlib
import sys

import numpy as np
import pytest
from tensorflow.compiler.xla.service import hlo_pb2

from tfvae.configs import stein_vae_digits
from tfvae.data import load
from tfvae.run import opening
from tfvae.training import trainer

FOLDER = pathlib.Path(__file__).parents[2] / "tools" / "portable_step"


@pytest.fixture
def tool(monkeypatch):
    """The module of a script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in ("export", "collect"):
        sys.modules.pop(name, None)


def made(**fields):
    experiment = stein_vae_digits.get_config("tiny")
    for name, value in fields.items():
        setattr(experiment.model, name, value)
    data = load.load(experiment.data)
    return experiment, data, trainer.compiled(experiment, data, data.steps_per_epoch)


@pytest.mark.parametrize("inference", ["stein", "stein_importance"])
def test_the_program_reads_all_variables_and_puts_each_back(tool, inference):
    export = tool("export")
    experiment, data, model = made(inference=inference)
    program, concrete, replaces = export.exported(experiment, data, model)
    names, state = export.read_by(concrete, model)
    entries = export.rows_of(data)
    module = hlo_pb2.HloModuleProto.FromString(program)
    shapes = [tuple(shape.dimensions) for shape in module.host_program_shape.parameters]
    assert shapes == [tuple(t.shape) for t in concrete.inputs[: len(entries)]] + [np.shape(value) for value in state]
    changed = {names[argument - len(entries)] for argument in replaces.values()}
    assert {v.path for v in [*model.trainable_variables, model.optimizer.iterations, model.step]} <= changed
    opcodes = {i.opcode for computation in module.computations for i in computation.instructions}
    assert "copy" not in opcodes


def test_rows_come_in_the_order_of_training(tool):
    export = tool("export")
    experiment, data, _ = made()
    order = export.orders(experiment, data)
    batches = data.training_batches(experiment.training.seed)
    for step, batch in zip(range(data.steps_per_epoch + 2), batches):
        rows = data.labelled.take(order["labelled"][step].astype(int))
        np.testing.assert_array_equal(batch["labelled"]["label"], rows.label)


def test_the_best_variables_that_were_trained_elsewhere_become_the_runs_weights(tool, tmp_path):
    experiment, data, model = made()
    experiment.training.monitor = "bound"  # It falls with what is added; all errors are 0.9.
    out = tmp_path / "out"
    tool("export").export(experiment, tmp_path / "run", out)
    spec = json.loads((out / "spec.json").read_text())
    assert spec["steps_per_epoch"] == data.steps_per_epoch and spec["reports"][-1] == "loss"
    assert all((tmp_path / "pool" / file).exists() for kind in ("rows", "order") for file in spec[kind].values())
    with np.load(out / "state.npz") as state:
        trained = {f"{epoch}/{i}": state[i] + added for epoch, added in ((1, 1), (2, 50)) for i in state.files}
    np.savez(out / "trained.npz", **trained)
    tool("collect").collect(tmp_path / "run", out)
    opened = opening.open_run(tmp_path / "run").model
    for before, after in zip(model.variables, opened.variables):
        np.testing.assert_allclose(after, before.numpy() + 1, rtol=1e-6)
