import dataclasses
import json

import numpy as np

from tfvae.data import load
from tfvae.evaluation import measurement
from tfvae.evaluation.evaluate import evaluate, plain, scalars
from tfvae.models import auxiliary_vae
from tfvae.networks import mlp


def test_a_class_conditional_model_is_asked_for_its_classes(small_sdgm, digits):
    rows = digits.test.take(np.arange(50))
    metrics = evaluate(small_sdgm, digits, rows, num_samples=3, iw_samples=4, rows_limit=20)
    assert {"error", "error_s3", "ece", "label_nll", "bound", "iw_bound"} <= set(metrics)
    assert (metrics["bound_rows"], metrics["classified_rows"], metrics["iw_samples"]) == (20, 50, 4)
    assert metrics["bound"] < 0.0 > metrics["iw_bound"]
    assert metrics["error_low"] < metrics["error"] < metrics["error_high"]
    assert "svm_error" not in metrics
    json.dumps(metrics, allow_nan=False)
    assert "confusion" not in scalars(metrics)


def test_a_vae_is_asked_for_its_codes(small_vae, digits):
    metrics = evaluate(small_vae, digits, digits.test.take(np.arange(50)), iw_samples=2)
    assert {"svm_error", "tsvm_error", "bound", "iw_bound"} <= set(metrics)
    assert metrics["classified_rows"] == 50
    assert all(metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"] for name in ("svm_error", "tsvm_error"))
    assert "error" not in metrics


def test_without_test_rows_the_validation_rows_are_measured_and_the_result_says_so(small_sdgm, digits):
    empty = dataclasses.replace(digits, test=digits.test.take(np.arange(0)))
    metrics = evaluate(small_sdgm, empty, iw_samples=0, rows_limit=10)
    assert metrics["evaluated_rows"] == "validation"
    assert metrics["classified_rows"] == len(digits.validation)
    assert any("no test images" in caveat for caveat in measurement.caveats(metrics, empty))
    on_test = evaluate(small_sdgm, digits, digits.test.take(np.arange(20)), iw_samples=0, rows_limit=10)
    assert "evaluated_rows" not in on_test


def test_rivals_come_on_request_with_the_models_own_widths(small_sdgm, digits, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "tfvae.evaluation.rivals.contest.measure",
        lambda data, rows, network, **_: asked.update(network=network) or {"b": 1},
    )
    metrics = evaluate(small_sdgm, digits, digits.test.take(np.arange(20)), iw_samples=0, rivals=True)
    assert metrics["b"] == 1
    assert asked["network"].hidden == (8,)


def test_a_potential_has_a_bound_below_its_normaliser():
    data = load.load(load.Config(source="nothing", labelled_batch=0, transform=load.transforms.Config(scale="raw")))
    config = auxiliary_vae.Config(latent_dim=2, auxiliary_dim=2, network=mlp.Config(hidden=(4,)), prior="u1")
    metrics = evaluate(config.build(data.info), data, iw_samples=10, rows_limit=200)
    assert metrics["bound"] < metrics["log_normaliser"] + 0.01
    assert "error" not in metrics


def test_what_is_not_finite_becomes_null():
    value = {"a": np.float32("nan"), "b": [np.inf, np.int64(3)], "c": np.array([[True, False]]), "d": "x"}
    assert plain(value) == {"a": None, "b": [None, 3], "c": [[True, False]], "d": "x"}
