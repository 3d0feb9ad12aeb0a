import numpy as np
import pytest
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import classification
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Settings
from tfvae.probability import noise


class Table:
    """Classifies row i of points [N, K] by the logs of its entries; with a seed, adds noise to them."""

    traces, widest_layer = 0, 1

    def can(self, capability):
        return capability is Capability.CLASSIFY

    def classify(self, image, num_samples=1, seed=None):
        self.traces += 1
        if seed is None:
            return image / tf.reduce_sum(image, axis=-1, keepdims=True)
        return tf.reduce_mean(tf.nn.softmax(noise.normal([num_samples, *image.shape], seed)), axis=0)


def test_errors_are_counted():
    probs = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]], np.float32)
    assert classification.error_rate(probs, np.array([0, 1, 0, 0])) == 0.25


def test_a_nan_is_an_error_even_where_argmax_would_point_at_the_label():
    probs = np.array([[np.nan, 0.5], [0.9, 0.1]], np.float32)
    label = np.array([0, 0])
    assert probs.argmax(axis=1)[0] == 0
    assert classification.error_rate(probs, label) == 0.5
    assert np.isfinite(classification.label_nll(probs, label))
    assert np.isfinite(classification.expected_calibration_error(probs, label))
    assert classification.confusion(probs, label).sum() == 1


def test_calibrated_predictions_have_no_calibration_error():
    probs = np.tile([[0.75, 0.25]], (400, 1))
    label = np.repeat([0, 1], [300, 100])
    assert classification.expected_calibration_error(probs, label) == pytest.approx(0.0, abs=1e-12)


def test_overconfidence_is_the_gap_between_confidence_and_accuracy():
    probs = np.concatenate([np.tile([[1.0, 0.0]], (60, 1)), np.tile([[0.4, 0.6]], (40, 1))])
    label = np.concatenate([np.repeat([0, 1], [45, 15]), np.repeat([1, 0], [32, 8])])
    # 60 rows say 1.0 and are right in 3 of 4; 40 say 0.6 and are right in 4 of 5.
    assert classification.expected_calibration_error(probs, label) == pytest.approx(0.6 * 0.25 + 0.4 * 0.2)


def test_bins_hold_every_row_once():
    probs = np.stack([np.linspace(0.5, 1.0, 101), 1 - np.linspace(0.5, 1.0, 101)], axis=1)
    bins = classification.calibration(probs, np.zeros(101, int))
    assert bins["count"].sum() == 101
    assert bins["count"][-1] > 0


def test_label_nll_is_the_mean_log_of_the_true_class():
    probs = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert classification.label_nll(probs, np.array([0, 1])) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)


def test_rows_of_the_confusion_matrix_are_true_classes():
    probs = np.eye(3)[[0, 1, 1, 2]]
    np.testing.assert_array_equal(
        classification.confusion(probs, np.array([0, 0, 1, 2])), [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    )


def test_a_smaller_last_batch_is_neither_lost_nor_traced_anew(plain_data, rng):
    points = rng.random([23, 4]) + 0.1
    data, model = plain_data(points), Table()
    probs = classification.probabilities(model, data, data.test, batch_size=10)
    classification.probabilities(model, data, data.test, batch_size=10)
    np.testing.assert_allclose(probs, points / points.sum(axis=1, keepdims=True), rtol=1e-5)
    assert model.traces == 1


def test_draws_repeat_for_a_seed_and_differ_for_another(plain_data, rng):
    data, model = plain_data(rng.random([7, 3])), Table()
    first, again, other = (classification.probabilities(model, data, data.test, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_allclose(first.sum(axis=1), 1.0, rtol=1e-5)


def test_draws_in_chunks_are_weighted_by_their_size(plain_data, rng, monkeypatch):
    data, model = plain_data(rng.random([4, 3])), Table()
    monkeypatch.setattr(classification, "_MAX_DRAWS", 8)  # two draws a call: 2, 2, 1
    probs = classification.probabilities(model, data, data.test, 5, seed=0)
    parts = [
        model.classify(data.test.image, size, noise.seed(0, 0, part)).numpy() for part, size in enumerate((2, 2, 1))
    ]
    np.testing.assert_allclose(probs, (2 * parts[0] + 2 * parts[1] + parts[2]) / 5, rtol=1e-5)


def test_rows_without_a_label_are_left_out(plain_data):
    data = plain_data(np.eye(3) + 0.1, label=[0, 2, -1])
    result = classification.measure(Table(), data, data.test, Settings(num_samples=3))
    assert (result["error"], result["classified_rows"]) == (0.5, 2)
    assert 0.0 <= result["error_s3"] <= 1.0
    with pytest.raises(ValueError, match="No row has a label"):
        classification.measure(Table(), data, data.test.take([2]), Settings())


def test_a_model_that_does_not_classify_is_told(plain_data, linear_gaussian):
    data = plain_data(np.eye(3))
    with pytest.raises(ValueError, match="does not classify"):
        classification.probabilities(linear_gaussian, data, data.test)


def test_compiled_functions_do_not_keep_their_model_alive():
    import gc
    import weakref

    model = Table()
    compiled(model, "classify")(tf.ones([2, 2]))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("rows", [16, 200, 5000])
def test_chance_makes_the_gap_that_calibrated_predictions_show(rng, rows):
    """Of 40 sets of labels drawn from the stated probabilities about one in twenty exceeds it."""
    probs = rng.dirichlet(np.ones(3), rows)
    bins = classification.calibration(probs, probs.argmax(axis=1))
    chance = classification.chance_calibration(bins)
    drawn = [(rng.random(rows)[:, None] > probs.cumsum(axis=1)).sum(axis=1).clip(max=2) for _ in range(40)]
    exceeding = sum(classification.expected_calibration_error(probs, label) > chance for label in drawn)
    assert exceeding <= 7
    assert chance == pytest.approx(np.quantile([
        classification.expected_calibration_error(probs, label) for label in drawn
    ], 0.95), rel=0.35)  # fmt: skip


def test_a_gap_that_chance_makes_is_called_so(digits):
    bins = {"edges": [0, 1], "count": [16], "confidence": [0.6], "accuracy": [0.4]}
    few = {"ece": 0.2, "calibration": bins, "classified_rows": 16}
    many = {"ece": 0.2, "calibration": bins | {"count": [1600]}, "classified_rows": 1600}
    said = {n: next(h.meaning for h in classification.headlines(m, digits)) for n, m in (("few", few), ("many", many))}
    assert "no more than that was found" in said["few"] and "this is more" in said["many"]
    assert not any("probabilities" in caveat for caveat in classification.caveats(few, digits))
    assert any("probabilities" in caveat for caveat in classification.caveats(many, digits))
