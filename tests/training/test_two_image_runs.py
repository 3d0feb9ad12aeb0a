"""The toy with two images an example, from the recipe: trained, stopped, resumed, evaluated, exported and asked."""

import json

import numpy as np
import pytest

from tests.docs import recipes
from tests.presets import tiny
from tfvae.data import folder, ingest
from tfvae.data.images import encode_png
from tfvae.evaluation.evaluate import evaluate
from tfvae.monitoring import canary, drift, served
from tfvae.run import opening
from tfvae.serving import export, predictions
from tfvae.storage import metrics_log
from tfvae.training import trainer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(a run of four epochs, one that ended after two and went on)."""
    root = tmp_path_factory.mktemp("runs")
    with recipes.overlay(recipes.RECIPES / "two_images.md", root / "recipe"):
        experiment = tiny("joint_vae_halves")
        experiment.training.epochs = 4
        trainer.train(experiment, root / "whole")
        experiment.training.epochs = 2
        trainer.train(experiment, root / "resumed")
        experiment.training.epochs = 4
        trainer.train(experiment, root / "resumed")
        yield root / "whole", root / "resumed"


def test_a_run_that_goes_on_ends_where_the_other_did(runs):
    whole, resumed = (run / "best.weights.h5" for run in runs)
    assert whole.read_bytes() == resumed.read_bytes()
    lines = [[{**line, "seconds": 0} for line in metrics_log.MetricsLog(run / "metrics.jsonl").lines()] for run in runs]
    assert lines[0] == lines[1] and {"image_bound", "image_b_bound", "val_bound"} <= set(lines[0][0])


@pytest.fixture(scope="module")
def exported(runs, tmp_path_factory):
    """(the run, its first version through the whole gate)."""
    run = opening.open_run(runs[0])
    return run, export.export(run.model, run.data, tmp_path_factory.mktemp("savedmodels") / "joint")


def test_it_is_evaluated(exported):
    run, _ = exported
    assert np.isfinite(evaluate(run.model, run.data, iw_samples=2, rows_limit=20)["bound"])


def test_it_is_served_in_both_directions(exported):
    run, version = exported
    model = served.Served(version)
    assert model.shapes == {"image": (8, 5, 1), "image_b": (8, 3, 1)}
    left, right = (run.data.test[name] for name in ("image", "image_b"))
    given = model.of_images("to_image_b", "image_b", {"image": left[:5]})
    x = run.data.transform.observe(left[:5])
    np.testing.assert_allclose(given, np.reshape(run.model.to_second(x), [5, 8, 3, 1]), atol=1e-5)
    back = model.of_images("to_image", "image", {"image_b": right[:2]})
    encoded = model.ask("to_image_bytes", image_b_bytes=np.array([encode_png(image) for image in right[:2]], object))
    np.testing.assert_allclose(encoded["image"], back, atol=1e-5)
    assert encoded["image_bytes"].shape == (2,)


def test_predictions_canary_and_drift_take_pairs(exported, tmp_path):
    run, version = exported
    for i in range(44):
        for name in ("image", "image_b") if i < 40 else ("image_b",):
            path = tmp_path / "photos" / name / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(run.data.test[name][i]))
    settings = folder.Config(test_fraction=0.3)
    ingest.ingest(tmp_path / "photos", tmp_path / "shards", settings, report=lambda text: None)
    counts = predictions.predict(version, tmp_path / "shards", tmp_path / "out", report=lambda text: None)
    assert (counts["images"], counts["errors"]) == (44, 4)
    lines = [json.loads(line) for path in (tmp_path / "out").glob("*.jsonl") for line in path.open()]
    assert {line["error"] for line in lines if "error" in line} == {"no image"}
    for source in ("photos", "shards"):
        found = canary.compare(version, version, tmp_path / source, num=30)
        assert found["images"] == 30
        assert {"to_image", "to_image_b", "encode"} <= set(found["largest_change"])
        assert set(found["largest_change"].values()) == {0.0}
    tests = drift.measure(version, tmp_path / "shards", tmp_path / "photos", num=30)["tests"]
    assert {"brightness", "brightness of image_b", "contrast of image_b", "bound", "codes"} <= set(tests)
    assert not drift.drifted({"tests": tests})
