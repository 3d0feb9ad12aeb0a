"""The parts of a pipeline by themselves."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from pipelines import beam, components, kubeflow, metrics, preprocessing, record, schema, statistics, trainer
from pipelines.settings import Settings
from tests.pipelines.conftest import ROOT
from tfvae.data import folder, images, ingest, manifest
from tfvae.evaluation import classification
from tfvae.training import trainer as training


def test_metrics_are_those_of_evaluation(rng):
    probs = rng.dirichlet(np.ones(4), 300).astype(np.float32)
    label = rng.integers(0, 4, 300)
    probs[7, 2] = np.nan
    for combiner, expected in (
        (metrics._Error("k", ""), classification.error_rate(probs, label)),
        (metrics._CalibrationError("k", ""), classification.expected_calibration_error(probs, label)),
    ):
        halves = []
        for rows in (slice(0, 100), slice(100, 300)):
            sums = combiner.create_accumulator()
            for k, p in zip(label[rows], probs[rows]):
                sums = sums + combiner.of_example([k], {"probabilities": p})
            halves.append(sums)
        assert combiner.extract_output(combiner.merge_accumulators(halves)) == {"k": pytest.approx(expected)}


def test_what_a_killed_pipeline_wrote_of_its_own_is_whole_or_not_there(tmp_path, survives):
    """Its shards and its push are killed by tests/faults."""
    ours = ("pipelines: schema", "pipelines: record", "pipelines: results")
    command = [sys.executable, "-m", "tools.kills.everywhere", "--sample", f"--output={tmp_path / 'kills.json'}", *ours]
    with survives("54 kill of a pipeline"):
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
        assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]


def test_the_bound_of_a_model_that_does_nothing_else_is_read_too():
    combiner = metrics._Bound("k", "")
    bound = np.array([-3.0], np.float32)
    for predictions in ({"bound": bound, "probabilities": np.ones(2)}, bound):
        assert combiner.extract_output(combiner.of_example(None, predictions)) == {"k": -3.0}


def test_transform_gives_what_a_run_reads():
    inputs = {
        "image": tf.constant([[b"abcd"], [b"efgh"]]),
        "shape": tf.constant([[2, 2, 1], [2, 2, 1]], tf.int64),
        "label": tf.SparseTensor([[1, 0]], tf.constant([3], tf.int64), [2, 1]),
        "file_name": tf.SparseTensor([[0, 0]], ["x.png"], [2, 1]),
    }
    outputs = preprocessing.preprocessing_fn(inputs, {"modalities": {"image": [2, 2, 1]}})
    assert set(outputs) == {"image", "shape", "label"}
    np.testing.assert_array_equal(outputs["label"], [[-1], [3]])
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocessing.preprocessing_fn(inputs, {"modalities": {"image": [2, 3, 1]}})


def test_the_schema_is_of_the_manifest_and_can_be_curated(settings, tmp_path):
    path = schema.write(tmp_path / "schema.pbtxt", settings.described())
    found = {feature.name: feature for feature in schema.read(path).feature}
    assert found["label"].int_domain.max == 2 and found["image"].presence.min_fraction == 1.0
    path.write_text("feature { name: 'image' }")
    assert [feature.name for feature in schema.read(schema.write(path, settings.described())).feature] == ["image"]
    path.write_text("no schema")
    with pytest.raises(ValueError, match="is no schema as text"):
        schema.read(path)


def test_beam_gives_results_in_order_and_the_same_shards(photos, tmp_path):
    spread = beam.spread(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    assert spread(abs, [-3, 2, -1]) == [3, 2, 1] and spread(abs, []) == []
    quiet = {"report": lambda text: None, "records_per_shard": 50}
    made = ingest.ingest(photos, tmp_path / "beam", spread=spread, resume=True, **quiet)
    assert made == ingest.ingest(photos, tmp_path / "alone", **quiet)
    for shard in made.shards:
        assert (tmp_path / "beam" / shard.name).read_bytes() == (tmp_path / "alone" / shard.name).read_bytes()


def test_a_model_that_fails_the_gate_is_not_blessed(tmp_path):
    blessing = components.standard_artifacts.InfraBlessing()
    blessing.uri = str(tmp_path / "blessing")
    model = components.standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    components.ExportGate.test_call(model=model, blessing=blessing, name="digits")
    assert blessing.get_int_custom_property("blessed") == 0
    assert "There is no file of answers" in components.reason(blessing.uri)


def test_the_tuner_tries_settings_and_the_trainer_takes_the_best(settings, tmp_path, monkeypatch):
    tuned = dataclasses.replace(
        settings, workdir=tmp_path, tuner_trials=2, tuned={"training.learning_rate": (1e-3, 1e-2)}
    )
    tuned.check()
    folders = {}
    for shard in settings.described().shards:
        folder = tmp_path / f"Split-{shard.split}_{shard.stream}"
        folder.mkdir()
        (folder / "data").write_bytes((settings.shards / shard.name).read_bytes())
        folders.setdefault(shard.split, []).append(f"{folder}/*")
    told = types.SimpleNamespace(
        custom_config=trainer.config(tuned), train_files=folders["train"], eval_files=folders["validation"],
        working_dir=str(tmp_path / "tuner"),
    )  # fmt: skip
    tried = []

    def train(experiment, directory, **_):
        tried.append(experiment.training.learning_rate)
        return {"best_error": abs(experiment.training.learning_rate - 0.003)}

    monkeypatch.setattr(training, "train", train)
    tuner = trainer.tuner_fn(told).tuner
    tuner.search()
    assert len(set(tried)) == 2 and all(1e-3 <= rate <= 1e-2 for rate in tried)
    told.hyperparameters = tuner.get_best_hyperparameters()[0].get_config()
    experiment, _ = trainer.prepared(told, trainer._hyperparameters(told))
    assert experiment.training.learning_rate == min(tried, key=lambda rate: abs(rate - 0.003))
    assert manifest.read(experiment.data.path).counts["train-labelled"] == 60


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tuned": {"training.rate": (1, 2)}, "tuner_trials": 1}, "must name a number of the preset"),
        ({"tuned": {"training.epochs": (5, 2)}, "tuner_trials": 1}, "the smaller one first"),
        ({"tuner_trials": 3}, "go together"),
        ({"schema": "nowhere.pbtxt"}, "There is no schema file nowhere.pbtxt"),
    ],
)
def test_what_no_pipeline_can_be_made_of_is_refused(settings, fields, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(settings, **fields).check()


def test_classes_of_another_name_are_no_examples_for_a_schema(settings, tmp_path):
    path = schema.write(tmp_path / "schema.pbtxt", settings.described())
    renamed = dataclasses.replace(settings.described(), class_names=("0", "1", "two"))
    schema.check(schema.read(path), settings.described())
    with pytest.raises(ValueError, match=r"for the classes \['0', '1', '2'\], the examples have \['0', '1', 'two'\]"):
        schema.check(schema.read(path), renamed)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_rows_that_a_model_is_judged_by_must_be_there(settings, photos, tmp_path, split):
    for label in range(3):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
        for path in (photos / "train" / str(label)).iterdir():
            shutil.copy(path, tmp_path / "photos" / str(label))
    config = folder.Config(**{f"{split}_fraction": 0.0})
    ingest.ingest(tmp_path / "photos", tmp_path / "shards", config, report=lambda text: None)
    with pytest.raises(ValueError, match=f"no {split} rows"):
        dataclasses.replace(settings, shards=tmp_path / "shards").check()


def test_errors_of_workers_come_back_as_they_were():
    spread = beam.spread(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    with pytest.raises(ValueError, match="invalid literal for int"):
        spread(int, ["1", "no number"])
    with pytest.raises(ValueError, match="name one, `--scratch=`"):
        beam.spread(["--runner=FlinkRunner"])


def test_workers_in_another_directory_find_what_is_named(photos, tmp_path, monkeypatch):
    quiet = {"report": lambda text: None, "records_per_shard": 50}
    (tmp_path / "scratch").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    on_beam = beam.spread(["--runner=FnApiRunner", "--direct_running_mode=in_memory"], scratch="scratch")

    def spread(function, values):
        monkeypatch.chdir(tmp_path / "elsewhere")
        try:
            return on_beam(function, values)
        finally:
            monkeypatch.chdir(tmp_path)

    made = ingest.ingest("photos", "shards", spread=spread, resume=True, **quiet)
    assert made == ingest.ingest("photos", "alone", **quiet)
    assert not any((tmp_path / "elsewhere").iterdir()) and not any((tmp_path / "scratch").iterdir())


def test_an_error_of_a_machine_names_it():
    spread = beam.spread(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    for function in (open, os.listdir, images.read):
        with pytest.raises(OSError, match=f"machine {socket.gethostname()}.*No such file"):
            spread(function, ["/nowhere.png"])


_SETTINGS = """
import sys
from absl import flags
from pipelines import command
from pipelines.settings import Settings
Settings.check = lambda self: None
flags.FLAGS(sys.argv)
made = command.settings()
print(made.shards, made.workdir, made.output, made.schema)
"""


def test_paths_are_absolute_before_they_travel(tmp_path):
    # In a process of its own: TFX looks at all flags that the process has, and those of the commands are required.
    given = {"input": "shards", "workdir": "work", "output": "served/digits", "schema": "some/where"}
    arguments = [f"--{name}={value}" for name, value in given.items()]
    preset = f"--config={ROOT / 'tfvae/configs/sdgm_digits.py'}:tiny"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", _SETTINGS, *arguments, preset], cwd=tmp_path, env=environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split() == [str(tmp_path / value) for value in given.values()]


def test_new_spans_are_compared_with_the_pushed_one(settings, first_run, photos, tmp_path):
    assert record.shards_of_last_push(settings) == settings.shards
    assert statistics.anomalies(settings, settings.shards, settings.shards) == []
    for path in (photos / "train" / "2").iterdir():
        (tmp_path / "photos" / "2").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "photos" / "2")
    ingest.ingest(tmp_path / "photos", tmp_path / "twos", report=lambda text: None)
    (found,) = statistics.anomalies(settings, settings.shards, tmp_path / "twos")
    assert found.startswith("label: ") and "divergence" in found


def test_the_newest_span_is_taken(settings, tmp_path):
    for number in ("1", "2", "10", "new"):
        (tmp_path / f"span-{number}").symlink_to(settings.shards)
    assert dataclasses.replace(settings, shards=tmp_path).span.name == "span-10"
    assert isinstance(settings, Settings)


def test_flags_that_are_wrong_are_told_in_a_line(settings, tmp_path):
    command = [
        sys.executable, "-m", "pipelines.local", "--config=tfvae/configs/sdgm_digits.py:tiny", "--tune=epochs",
        f"--input={settings.shards}", f"--workdir={tmp_path / 'work'}", f"--output={tmp_path / 'served' / 'digits'}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "error: `--tune` takes field=low:high" in done.stderr
    assert not (tmp_path / "work").exists()


def test_the_graph_compiles_for_kubeflow(settings, tmp_path):
    tuned = dataclasses.replace(settings, tuner_trials=2, tuned={"training.learning_rate": (1e-3, 1e-2)})
    kubeflow.write(tuned, "tfvae:1", tmp_path / "pipeline.json", root="gs://bucket/pipelines")
    compiled = json.loads((tmp_path / "pipeline.json").read_text())
    tasks = compiled["pipelineSpec"]["root"]["dag"]["tasks"]
    assert {"ImportExampleGen", "StopAtAnomalies", "Tuner", "Trainer", "Evaluator", "WholePusher"} <= set(tasks)
    executors = compiled["pipelineSpec"]["deploymentSpec"]["executors"]
    images = {executor["container"]["image"] for executor in executors.values() if "container" in executor}
    assert images == {"tfvae:1"}
