"""The temperature that makes stated probabilities frequencies."""

import dataclasses

import numpy as np
import pytest
from scipy import special

from tfvae.evaluation import classification, temperature
from tfvae.evaluation.measurement import Settings


def drawn(rng, num, num_classes, scaling):
    """(probabilities that state logits times `scaling`, labels drawn from the logits themselves)."""
    logits = 2.0 * rng.normal(size=[num, num_classes])
    label = (special.softmax(logits, axis=1).cumsum(axis=1) < rng.random([num, 1])).sum(axis=1)
    return special.softmax(scaling * logits, axis=1).astype(np.float32), label


@pytest.mark.parametrize("num_classes", [2, 10])
@pytest.mark.parametrize("scaling", [0.3, 1.0, 4.0])
def test_a_known_scaling_is_recovered_and_undone(rng, num_classes, scaling):
    probs, label = drawn(rng, 5000, num_classes, scaling)
    found = temperature.fit(probs, label)
    assert found == pytest.approx(scaling, rel=0.08)
    after = temperature.scaled(probs, found).numpy()
    np.testing.assert_allclose(after.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(after.argmax(axis=1), probs.argmax(axis=1))
    other, other_label = drawn(rng, 5000, num_classes, scaling)
    error = classification.expected_calibration_error(temperature.scaled(other, found).numpy(), other_label)
    assert error < 0.02
    if scaling != 1.0:
        assert error < 0.2 * classification.expected_calibration_error(other, other_label)


def test_it_is_the_minimum_of_the_likelihood_where_rows_are_many(rng):
    probs, label = drawn(rng, 4000, 5, 2.5)
    best = classification.label_nll(temperature.scaled(probs, temperature.fit(probs, label)).numpy(), label)
    for other in (2.0, 3.0):
        assert classification.label_nll(temperature.scaled(probs, other).numpy(), label) > best


def test_few_rows_that_are_all_right_do_not_make_certainty():
    probs = np.tile(np.array([[0.8, 0.2]], np.float32), (12, 1))
    found = temperature.fit(probs, np.zeros(12, int))
    assert 0.1 < found < 1.0
    assert temperature.scaled(probs, found).numpy().max() < 0.9999


def test_probabilities_of_nothing_and_rows_without_a_number_do_no_harm():
    probs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [np.nan, 0.0]], np.float32)
    found = temperature.fit(probs, np.array([0, 1, 1, 0]))
    assert np.isfinite(found) and np.isfinite(temperature.scaled(probs[:3], found)).all()
    with pytest.raises(ValueError, match="labelled rows with finite probabilities"):
        temperature.fit(probs[3:], np.array([0]))


def test_it_is_measured_on_rows_that_it_was_not_fitted_on(small_sdgm, digits):
    rows = digits.test.take(np.arange(100))
    assert temperature.applies(small_sdgm, digits, rows)
    assert not temperature.applies(small_sdgm, digits, digits.validation)
    unlabelled = digits.validation.with_columns(label=np.full(len(digits.validation), -1))
    assert not temperature.applies(small_sdgm, dataclasses.replace(digits, validation=unlabelled), rows)
    metrics = temperature.measure(small_sdgm, digits, rows, Settings())
    assert metrics["temperature_rows"] == len(digits.validation) and metrics["temperature"] > 0
    told = temperature.headlines({**metrics, "ece": 0.3}, digits)[0]
    assert "30.0" in told.meaning and "labelled ones for validation" in told.meaning
