"""The toy with two images an example, from the recipe: trained, stopped, resumed, evaluated, exported and asked."""

import numpy as np
import pytest

from tests.docs import recipes
from tests.presets import tiny
from tfvae.data.images import encode_png
from tfvae.evaluation.evaluate import evaluate
from tfvae.monitoring import canary, served
from tfvae.run import opening
from tfvae.serving import export
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


def test_it_is_evaluated_exported_and_asked_in_both_directions(runs, tmp_path):
    run = opening.open_run(runs[0])
    assert np.isfinite(evaluate(run.model, run.data, iw_samples=2, rows_limit=20)["bound"])
    version = export.export(run.model, run.data, tmp_path / "joint")
    model = served.Served(version)
    assert model.shapes == {"image": (8, 5, 1), "image_b": (8, 3, 1)}
    left, right = (run.data.test[name] for name in ("image", "image_b"))
    given = model.of_images("to_image_b", "image_b", {"image": left[:5]})
    x = run.data.transform.observe(left[:5])
    np.testing.assert_allclose(given, np.reshape(run.model.to_second(x), [5, 8, 3, 1]), atol=1e-5)
    assert model.of_images("to_image", "image", {"image_b": right[:5]}).shape == (5, 8, 5, 1)
    encoded = model.ask("to_image_bytes", image_b_bytes=_png(right[:2]))
    np.testing.assert_allclose(
        encoded["image"], model.of_images("to_image", "image", {"image_b": right[:2]}), atol=1e-5
    )
    asked = canary._asked(model, model)
    assert asked["to_image"] == "image" and asked["to_image_b"] == "image_b"


def _png(images):
    return np.array([encode_png(image) for image in images], object)
