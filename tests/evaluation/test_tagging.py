"""Scores of tags against scikit-learn's and against counting by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tfvae.capabilities import Capability
from tfvae.data import load
from tfvae.evaluation import measurement, tagging
from tfvae.evaluation.measurement import Settings
from tfvae.probability import families


@pytest.mark.parametrize("levels", [3, 1000])
def test_average_precision_is_scikit_learns_with_ties_and_without(rng, levels):
    for _ in range(20):
        has, score = rng.random(30) < 0.3, rng.integers(0, levels, 30).astype(float)
        has[0] = True
        assert tagging.average_precision(has, score) == pytest.approx(average_precision_score(has, score))


def test_a_tag_that_no_row_has_or_all_rows_have_is_not_judged(rng):
    has = np.array([[0, 1, 1], [0, 1, 0]], bool)
    np.testing.assert_array_equal(np.isnan(tagging.average_precisions(has, rng.random([2, 3]))), [True, True, False])


def test_f1_counts_hits_among_the_most_probable():
    has = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)
    score = np.array([[0.9, 0.1, 0.8, 0.2], [0.1, 0.2, 0.3, 0.9]])
    # One of two and of two: 2 / 4; one of one among two: 2 / 3.
    assert tagging.f1_at(has, score, 2) == pytest.approx((2 / 4 + 2 / 3) / 2)


def test_calibration_is_the_gap_of_probability_and_frequency(rng):
    probs = rng.random([20_000, 2])
    has = rng.random(probs.shape) < np.stack([probs[:, 0], probs[:, 1] ** 2], axis=1)
    calibrated, off = tagging.calibration_errors(has, probs)
    assert calibrated < 0.02 and off == pytest.approx(1 / 6, abs=0.02)


class Knower:
    """Knows the tags of a row, or says the same of every row."""

    widest_layer = 1

    def __init__(self, data, knows):
        self.data, self.knows = data, knows

    def can(self, capability):
        return capability in (Capability.TAG, Capability.ENCODE)

    def _of_rows(self, image):
        rows, images = self.data.test, self.data.observe(self.data.test)
        place = {row.tobytes(): i for i, row in enumerate(images)}
        return tagging.truth(self.data, rows)[[place[row.tobytes()] for row in np.asarray(image)]].astype(np.float32)

    def tag(self, image):
        if not self.knows:
            return np.full([len(image), 8], 0.5, np.float32)
        return self._of_rows(image)

    def encode(self, image):
        flat = np.asarray(image).reshape(len(image), -1)
        return families.DiagGaussian(flat, np.zeros_like(flat))


@pytest.fixture(scope="module")
def data():
    config = load.Config(source="tagged_digits", labelled_batch=0, batches={"tagged": 20}, num_tagged=100)
    return load.load(config)


@pytest.fixture(autouse=True)
def not_compiled(monkeypatch):
    monkeypatch.setattr(tagging, "compiled", lambda model, method: getattr(model, method))
    monkeypatch.setattr(
        tagging.representation, "mean_of", lambda model, name: lambda image: getattr(model, name)(image).mean()
    )


def test_who_knows_all_tags_scores_one_and_who_knows_none_scores_by_frequency(data):
    rows = data.test
    best = tagging.measure(Knower(data, True), data, rows, Settings())
    assert best["tag_map"] == best["tag_map_low"] == pytest.approx(1.0) and best["tag_ece"] == pytest.approx(0.0)
    assert best["unknown_tags"] == 0.0 and best["tagged_rows"] == 500 and best["judged_tags"] == 8
    worst = tagging.measure(Knower(data, False), data, rows, Settings())
    assert worst["tag_map"] == pytest.approx(worst["frequency_tag_map"])
    assert worst["frequency_tag_map"] < worst["logistic_tag_map"]
    told = [headline.name for headline in measurement.headlines(best, data)]
    assert "Precision of tags" in told and not tagging.caveats(best, data)
    assert "by how frequent they are" in tagging.caveats(worst, data)[0]


def test_rows_without_tags_are_not_measured(data):
    assert not tagging.applies(Knower(data, True), data, data.test.take([]))
    assert tagging.applies(Knower(data, True), data, data.test)
