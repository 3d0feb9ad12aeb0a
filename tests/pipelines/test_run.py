"""The graph end to end on a few digits: killed and gone on with, cached, refused, pushed whole, written down."""

import dataclasses
import json
import shutil
import time

import pytest

from pipelines import record, runner, schema
from pipelines.settings import Thresholds
from tfvae.serving import export, gate


def states(settings):
    return {node["node"]: node["state"] for node in record.read(settings)["nodes"]}


def test_a_run_that_was_killed_is_completed_and_pushed(settings, first_run, survives):
    code, found = first_run
    with survives("37 SIGKILL inside a pipeline"):
        assert code == runner.PUSHED
    nodes = {node["node"]: node["state"] for node in found["nodes"]}
    # What came before the kill is not done again, and the run of the Trainer went on from its checkpoint.
    assert {nodes[name] for name in ("ImportExampleGen", "StatisticsGen", "Transform")} == {"CACHED"}
    assert {nodes[name] for name in ("Trainer", "Evaluator", "ExportGate", "WholePusher")} == {"COMPLETE"}
    runs = [path.parent for path in settings.workdir.glob("runs/*/config.json")]
    assert len(runs) == 1 and len((runs[0] / "metrics.jsonl").read_text().splitlines()) == 40
    assert sorted(path.name for path in settings.output.iterdir()) == ["1"]
    assert 'name: "digits"' in (settings.output.parent / "models.config").read_text()


def test_the_killed_execution_is_marked(settings, first_run):
    with record._store(settings) as store:
        marked = [e for e in store.get_executions() if "tfvae_stale" in e.custom_properties]
    assert [e.last_known_state for e in marked] == [record.mlmd.Execution.FAILED]


def test_the_pushed_version_passes_the_gate(settings, first_run):
    report = gate.check_again(settings.output / "1", "digits")
    assert report.warmup == report.reload == "passed"
    assert export.describe(settings.output / "1")["gate"]["reload"] == "passed"


def test_the_record_says_what_was_made_of_what(settings, first_run):
    path = min(settings.records.glob("*.json"))
    found = json.loads(path.read_text())
    artifacts = {artifact["id"]: artifact for artifact in found["artifacts"]}
    model = next(
        artifact for artifact in artifacts.values() if artifact["made_by"] == "Trainer" and artifact["type"] == "Model"
    )
    assert model["sha256"] == export.digest(model["uri"])
    assert {artifacts[parent]["type"] for parent in model["parents"]} == {"Examples", "TransformGraph"}
    examples = next(artifact for artifact in artifacts.values() if artifact["made_by"] == "ImportExampleGen")
    assert examples["parents"] == [] and found["version"] == str(settings.output / "1") and found["reasons"] == []


def test_a_second_run_comes_from_the_cache(settings, first_run):
    """All but the Evaluator, which now has a blessed model to compare with; and the third run all of it."""
    always = {"latest_blessed", "WholePusher", "StopUnlessPushed"}
    assert runner.run(settings) == runner.PUSHED
    assert {name for name, state in states(settings).items() if state == "COMPLETE"} == always | {"Evaluator"}
    began = time.monotonic()
    assert runner.run(settings) == runner.PUSHED
    assert time.monotonic() - began < 20
    assert {name for name, state in states(settings).items() if state == "COMPLETE"} == always
    assert sorted(path.name for path in settings.output.iterdir()) == ["1"], "the same model was pushed again"


def test_a_version_that_was_deleted_is_pushed_again(settings, first_run):
    shutil.move(settings.output / "1", settings.output.parent / "gone")
    assert runner.run(settings) == runner.PUSHED
    assert sorted(path.name for path in settings.output.iterdir()) == ["1"]
    assert export.digest(settings.output / "1") == export.digest(settings.output.parent / "gone")
    shutil.rmtree(settings.output.parent / "gone")


def test_a_model_below_its_threshold_is_not_pushed(settings, first_run, capsys, survives):
    strict = dataclasses.replace(settings, thresholds=Thresholds(bound=1000.0))
    with survives("39 a model that is not blessed"):
        assert runner.run(strict) == runner.REFUSED
        assert "NOTHING WAS PUSHED: bound is -" in capsys.readouterr().out
    assert sorted(path.name for path in settings.output.iterdir()) == ["1"]


def test_a_model_is_compared_with_the_last_blessed_one(settings, first_run, capsys):
    """Here with itself, which is asked to be better than itself."""
    better = dataclasses.replace(settings, thresholds=Thresholds(error_slack=-0.5))
    assert runner.run(better) == runner.REFUSED
    assert "error is +0 from that of the last blessed model, -0.5 is allowed" in capsys.readouterr().out


def test_the_evaluator_measures_what_evaluation_does(settings, first_run):
    from pipelines import evaluation
    from tfvae.data import load
    from tfvae.evaluation import classification
    from tfvae.run import opening

    found = record.read(settings)["artifacts"]
    uri = next(artifact["uri"] for artifact in found if artifact["type"] == "ModelEvaluation")
    measured = evaluation.measured(uri)
    (workdir,) = (path.parent for path in settings.workdir.glob("runs/*/config.json"))
    opened = opening.open_run(workdir)
    rows = load.load(load.Config(source="shards", path=str(settings.shards), labels_per_class=0)).test
    probs = classification.probabilities(opened.model, opened.data, rows)
    assert measured["error"] == pytest.approx(classification.error_rate(probs, rows.label))
    expected = classification.expected_calibration_error(probs, rows.label)
    assert measured["calibration_error"] == pytest.approx(expected, abs=1e-4)
    assert measured["example_count"] == len(rows) == 60 and -60 < measured["bound"] < 0


def test_an_anomaly_stops_the_run_before_anything_is_trained(settings, first_run, capsys, survives):
    """Of the schema as it is curated in place: TFX's cache would not look into the file."""
    before = settings.schema_file.read_text()
    curated = schema.read(settings.schema_file)
    next(feature for feature in curated.feature if feature.name == "label").int_domain.max = 1
    settings.schema_file.write_text(str(curated))
    with survives("25 training data are not what the schema says"):
        assert runner.run(settings) == runner.REFUSED
        told = capsys.readouterr().out
        assert "label in train_labelled: " in told and "Unexpectedly large value: 2" in told
        assert "Trainer" not in states(settings)
    settings.schema_file.write_text(before)
    assert runner.run(settings) == runner.PUSHED


def test_two_processes_do_not_run_one_pipeline(settings):
    with runner._locked(settings.workdir), pytest.raises(ValueError, match="Another process runs the pipeline"):
        runner.run(settings)
