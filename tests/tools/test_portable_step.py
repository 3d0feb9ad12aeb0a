"""A training step as an XLA program, and variables that come back from elsewhere."""

import importlib
import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

from tfvae import ranges
from tfvae.configs import stein_vae_digits
from tfvae.data import load
from tfvae.reproduction import tables
from tfvae.run import opening
from tfvae.training import trainer

FOLDER = pathlib.Path(__file__).parents[2] / "tools" / "portable_step"


@pytest.fixture
def tool(monkeypatch):
    """The module of a script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in ("export", "collect", "waiting"):
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
    first = len(entries) + len(data.streams) + 1  # Rows, their order and how many steps.
    assert shapes[: len(entries)] == [np.shape(rows) for rows in entries.values()]
    assert shapes == [tuple(t.shape) for t in concrete.inputs[:first]] + [np.shape(value) for value in state]
    changed = {names[argument - first] for argument in replaces.values()}
    assert {v.path for v in [*model.trainable_variables, model.optimizer.iterations, model.step]} <= changed
    opcodes = {i.opcode for computation in module.computations for i in computation.instructions}
    assert "copy" not in opcodes


def test_a_call_takes_the_steps_of_training_one_after_the_other(tool):
    """Many steps a call are the steps of tfvae-train, and fewer than the call may take are taken as well."""
    export = tool("export")
    experiment, data, model = made()
    entries, order = export.rows_of(data), export.orders(experiment, data)
    steps = export.steps_of(experiment, data, model, 4)
    indices = [np.resize(rows[:3].astype(np.int32), [4, rows.shape[1]]) for rows in order.values()]
    reported = steps(*map(tf.constant, entries.values()), *map(tf.constant, indices), tf.constant(3))
    _, _, plain = made()
    for _, batch in zip(range(3), data.training_batches(experiment.training.seed)):
        expected = tf.function(plain.train_step)(batch)
    assert int(model.step) == int(plain.step) == 3
    assert float(reported["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-4)
    for ours, theirs in zip(model.trainable_variables, plain.trainable_variables):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


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


@pytest.fixture
def queued(tmp_path, monkeypatch):
    """A queue of two rows of a small table, the second of which needs more seconds."""
    rows = [tables.Entry(name, "sdgm_digits", size="tiny") for name in ("first", "second")]
    measures = (tables.Measure("test error", ("error",)),)
    table = tables.Table("title", "citation", tuple(rows), measures, {"iw_samples": 0})
    monkeypatch.setitem(tables.TABLES, "made", table)
    shared = {"table": "made", "overrides": {"training.epochs": 3}, "decides": "nothing"}
    entries = [
        {**shared, "row": "first", "draws": 2, "seconds": 40},
        {**shared, "row": "second", "draws": 1, "seconds": 90},
    ]
    (tmp_path / "queue.json").write_text(json.dumps(entries))
    return tmp_path


def test_a_queue_exports_what_fits_and_a_result_takes_its_run_off_it(tool, queued):
    waiting, out, results = tool("waiting"), queued / "out", queued / "results"
    names = ["made.first.0", "made.first.1", "made.second.0"]
    assert [name for name, _, _ in waiting.waiting(results, queued / "queue.json")] == names
    waiting.export(out, 100, results=results, queue=queued / "queue.json")
    assert sorted(path.name for path in out.iterdir() if path.name != "pool") == names[:2]
    spec = json.loads((out / names[1] / "spec.json").read_text())
    assert (spec["seconds"], spec["keep"], spec["run"]["draw"]) == (40, [1, 2], 1)
    with np.load(out / names[0] / "state.npz") as state:
        trained = {f"{epoch}/{i}": state[str(i)] for epoch in (1, 3) for i in spec["of_model"]}
    np.savez(out / names[0] / "trained.npz", **trained)
    (out / names[0] / "trained.json").write_text(json.dumps({"device": "made", "seconds": 1.0, "epochs": 3}))
    waiting.collect(out, results)
    result = json.loads((results / f"{names[0]}.json").read_text())
    assert result["best_epoch"] in (1, 3) and 0.0 <= result["test"]["error"] <= 1.0 and result["row"] == "first"
    assert [name for name, _, _ in waiting.waiting(results, queued / "queue.json")] == names[1:]


def test_the_committed_queue_names_what_exists(tool):
    waiting = tool("waiting")
    entries = json.loads(waiting.QUEUE.read_text())
    for entry in entries:
        experiment = waiting.experiment_of(entry, 0)
        ranges.check(experiment)
        assert entry["decides"] and 0 < entry["seconds"] <= 600
    with pytest.raises(ValueError, match="'nobody'"):
        waiting.experiment_of({**entries[0], "row": "nobody"}, 0)
