"""Measurements are plug-ins: found by their file, asked where they apply."""

import importlib
import inspect
import logging
import sys

import numpy as np
import pytest

from tfvae import evaluation, metrics
from tfvae.capabilities import Capability
from tfvae.evaluation import label_draws, measurement
from tfvae.evaluation.evaluate import evaluate
from tfvae.evaluation.measurement import Measurement

FOUND = measurement.measurements()

TOY = """
from tfvae.capabilities import Capability
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric


def applies(model, data, rows):
    return model.can(Capability.SAMPLE)


def measure(model, data, rows, settings):
    return {"toy_rows": len(rows), "toy_seed": settings.seed}


def headlines(metrics, data):
    return [Headline("Toy", str(metrics["toy_rows"]), "Rows.", rank=1)] if "toy_rows" in metrics else []


MEASUREMENT = Measurement(applies, measure, headlines, metrics=(Metric("toy_rows", "Rows", ""),))
"""


class Mute:
    """A model that cannot be asked anything."""

    def can(self, capability):
        return False


class Sampler:
    """A model that can be sampled from, which is not measured."""

    def can(self, capability):
        return capability is Capability.SAMPLE


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Adds a file to the package of measurements."""
    monkeypatch.setattr(evaluation, "__path__", [*evaluation.__path__, str(tmp_path)])
    names = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        names.append(name)
        importlib.invalidate_caches()

    yield write
    for name in names:
        sys.modules.pop(f"tfvae.evaluation.{name}", None)


def test_the_questions_of_tfvae():
    assert set(FOUND) == {
        "captioning", "cells", "chains", "classification", "clustering", "collapse", "critics", "cross_modal",
        "decoding", "discrepancy", "grounding", "likelihood", "log_ratios", "modes", "novelty", "posterior",
        "reconstruction", "representation", "sample_scores", "tagging", "temperature", "translation", "words",
    }  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_a_measurement_declares_what_the_loop_asks(name):
    each = FOUND[name]
    assert isinstance(each, Measurement)
    assert list(inspect.signature(each.applies).parameters) == ["model", "data", "rows"]
    assert list(inspect.signature(each.measure).parameters)[:4] == ["model", "data", "rows", "settings"]
    assert "Returns:" in inspect.getdoc(each.measure), "the reference is made from it"


@pytest.mark.parametrize("name", FOUND)
def test_a_measurement_asks_nothing_of_a_model_that_can_nothing(name, plain_data):
    data = plain_data(np.eye(3), label=[0, 1, 2])
    assert not FOUND[name].applies(Mute(), data, data.test)


@pytest.mark.parametrize("name", FOUND)
def test_a_measurement_says_nothing_of_metrics_that_it_did_not_take(name, digits):
    assert FOUND[name].headlines({}, digits) == []
    assert FOUND[name].caveats({}, digits) == []


def test_a_model_without_capabilities_is_told_and_does_not_fail(plain_data, caplog):
    data = plain_data(np.eye(3), label=[0, 1, 2])
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert evaluate(Mute(), data) == {}
    assert "Mute" in caplog.text and "no measurement applies" in caplog.text


def test_a_measurement_is_found_by_its_file(add, plain_data):
    data = plain_data(np.eye(3), label=[0, 1, 2])
    assert evaluate(Sampler(), data) == {}
    add("toy", TOY)
    result = evaluate(Sampler(), data, seed=7)
    assert result == {"toy_rows": 3, "toy_seed": 7}
    assert [headline.name for headline in measurement.headlines(result | {"perplexity": None}, data)] == ["Toy"]
    assert evaluate(Mute(), data) == {}


def test_its_metrics_are_spread_over_draws(add):
    results = [{"toy_rows": 3, "toy_seed": 0}, {"toy_rows": 5, "toy_seed": 1}]
    assert label_draws.spread(results) == {}
    add("toy", TOY)
    assert label_draws.spread(results)["toy_rows"]["mean"] == 4.0
    assert set(label_draws.spread(results)) == {"toy_rows"}


def test_a_number_that_two_measurements_give_is_refused(add, plain_data):
    add("toy", TOY)
    add("toy_too", TOY)
    data = plain_data(np.eye(3), label=[0, 1, 2])
    with pytest.raises(ValueError, match=r"'toy_too' gives .*toy_rows"):
        evaluate(Sampler(), data)


def test_rows_that_are_not_finite_are_those_of_the_worst_measurement(add, plain_data):
    for name, invalid in (("one", 3), ("two", 2)):
        answer = f'{{"{name}": 1, "invalid_rows": {invalid}}}'
        add(name, TOY.replace('{"toy_rows": len(rows), "toy_seed": settings.seed}', answer))
    data = plain_data(np.eye(3), label=[0, 1, 2])
    assert evaluate(Sampler(), data)["invalid_rows"] == 3


def test_the_error_comes_first_and_surprise_last(digits):
    told = {
        "error": 0.1, "classified_rows": 50, "ece": 0.2, "label_nll": 1.5, "bound": -85.3, "bound_rows": 7,
        "word_perplexity": 900.0, "word_perplexity_corpus": 800.0,
    }  # fmt: skip
    headlines = measurement.headlines(told, digits)
    assert [(headline.name, headline.value.replace("\N{NO-BREAK SPACE}", " ")) for headline in headlines] == [
        ("Test error", "10.0 %"), ("Bound on log p(x)", "−85.30 nats"), ("Word perplexity", "900"),
        ("Calibration error", "20.0 %"), ("Surprise at labels", "1.500 nats"),
    ]  # fmt: skip
    assert "5 of 50 test images" in headlines[0].meaning and "one draw, 7 images" in headlines[1].meaning


def test_numbers_that_are_missing_are_warned_about(digits):
    told = measurement.caveats({"invalid_rows": 3, "bound_rows": 10, "classified_rows": 40, "ece": 0.3}, digits)
    assert len(told) == 4
    assert measurement.caveats({"bound_rows": len(digits.test), "classified_rows": 500, "ece": 0.01}, digits) == []


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0093, "%", "0.93 %"),
        (0.1, "%", "10.0 %"),
        (0.0, "%", "0.0 %"),
        (-12345.6, "nats", "−12346 nats"),
        (2.0, "", "2.00"),
    ],
)
def test_numbers_are_shown_with_their_unit(value, unit, expected):
    assert metrics.shown(value, unit).replace("\N{NO-BREAK SPACE}", " ") == expected
