"""The README of a version: a head that the Hub reads, the run's own numbers, and none that nobody measured."""

import os
import types

import pytest
import yaml

from tfvae.evaluation import measurement
from tfvae.serving import export, model_card


def split(card):
    """(head as a dict, body)."""
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.fixture(scope="module")
def described(exported_sdgm):
    return export.describe(exported_sdgm[2])


def test_every_export_has_one_without_invented_numbers(exported_sdgm):
    head, body = split((exported_sdgm[2] / model_card.NAME).read_text(encoding="utf-8"))
    assert head["library_name"] == "tfvae" and head["pipeline_tag"] == "image-classification"
    assert "saved-model" in head["tags"] and head["license"] == "unknown"
    assert "model-index" not in head and "metrics" not in head
    assert "it was not evaluated before it was exported" in body and "n = 100 validation images" in body
    for signature in export.describe(exported_sdgm[2])["signatures"].keys() - {"serving_default"}:
        assert f"| `{signature}` |" in body


def test_numbers_are_those_of_the_run(exported_sdgm, described):
    _, data, _ = exported_sdgm
    metrics = {"error": 0.0625, "classified_rows": 160, "ece": 0.04, "bound": -20.5, "bound_rows": 7}
    head, body = split(model_card.text(described, data, metrics))
    (entry,) = head["model-index"]
    (result,) = entry["results"]
    assert result["dataset"] == {"name": "digits", "type": "digits", "split": "test"} or "unknown" in str(result)
    assert {each["name"]: each["value"] for each in result["metrics"]} == {
        "Accuracy": 0.9375, "Expected calibration error": 0.04, "Bound on log p(x), nats": -20.5,
    }  # fmt: skip
    assert head["metrics"] == sorted({each["type"] for each in result["metrics"]})
    for headline in measurement.headlines(metrics, data):
        assert f"| {headline.name} | {headline.value} |" in body
    of_validation = model_card.text(described, data, {**metrics, "evaluated_rows": "validation"})
    assert split(of_validation)[0]["model-index"][0]["results"][0]["dataset"]["split"] == "validation"
    assert "There are no test " in of_validation


@pytest.mark.parametrize(
    ("signatures", "task"),
    [
        (["classify", "encode"], "image-classification"), (["caption", "encode"], "image-to-text"),
        (["encode", "sample"], "unconditional-image-generation"), (["encode"], "image-feature-extraction"),
        (["score"], None),
    ],
)  # fmt: skip
def test_the_task_is_what_the_model_can_do(exported_sdgm, described, signatures, task):
    served = {name: described["signatures"]["encode"] for name in signatures}
    head, body = split(model_card.text({**described, "signatures": served, "class_names": []}, exported_sdgm[1]))
    assert head.get("pipeline_tag") == task and "Classes:" not in body


def test_numbers_of_other_weights_are_left_out_and_it_says_why(tmp_path):
    run = types.SimpleNamespace(metrics=tmp_path / "metrics.json", best_weights=tmp_path / "best.weights.h5")
    assert export.measured_of(run) == export.NOT_MEASURED
    run.metrics.write_text('{"error": 0.5}')
    run.best_weights.touch()
    os.utime(run.best_weights, (1, 1))
    assert export.measured_of(run).metrics == {"error": 0.5}
    os.utime(run.metrics, (0, 0))
    stale = export.measured_of(run)
    assert stale.metrics is None and "trained further" in stale.why
