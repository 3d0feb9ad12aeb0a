import dataclasses

import numpy as np
import pytest

from tfvae.data import load, transforms
from tfvae.data.examples import Examples
from tfvae.evaluation import baselines, convnet, representation
from tfvae.networks import dgdn, mlp


def test_codes_are_the_means_of_the_encoder(small_vae, digits):
    rows = digits.test.take(np.arange(23))
    codes = representation.codes(small_vae, digits, rows, batch_size=10)
    np.testing.assert_allclose(codes, small_vae.encode(digits.observe(rows)).mean(), rtol=1e-4, atol=1e-5)
    assert codes.shape == (23, 3)


def test_auxiliary_codes_are_the_means_of_q_a(small_sdgm, small_vae, digits):
    rows = digits.test.take(np.arange(5))
    codes = representation.auxiliary_codes(small_sdgm, digits, rows)
    np.testing.assert_allclose(codes, small_sdgm.q_a_given_x(digits.observe(rows)).mean(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="no auxiliary variable"):
        representation.auxiliary_codes(small_vae, digits, rows)


def test_classifiers_on_codes_are_measured_on_test_rows(small_vae, digits):
    result = representation.evaluate(small_vae, digits, unlabelled_limit=200)
    assert result["tsvm_unlabelled_rows"] == 200
    # Three random features of a digit tell something: guessing errs 0.9.
    assert 0.1 < result["svm_error"] < 0.85
    assert 0.1 < result["tsvm_error"] < 0.85


def test_settings_are_chosen_on_validation_rows(rng):
    inputs, label = rng.normal(size=(40, 2)), np.repeat([0, 1], 20)
    inputs[label == 1] += 1.5
    validation = rng.normal(size=(60, 2)) + np.repeat([[0.0], [1.5]], 30, axis=0)
    validation_label = np.repeat([0, 1], 30)
    chosen = representation.svm(inputs, label, validation, validation_label)
    error = np.mean(chosen.predict(validation) != validation_label)
    for cost in representation._SVM_COSTS:
        other = representation.svm(inputs, label)
        other.set_params(svc__C=cost).fit(inputs, label)
        assert error <= np.mean(other.predict(validation) != validation_label)


def test_no_labels_to_learn_from_are_told(small_vae, digits):
    bare = dataclasses.replace(digits, labelled=Examples(digits.labelled.image[:0], digits.labelled.label[:0]))
    with pytest.raises(ValueError, match="labelled rows of at least two classes"):
        representation.evaluate(small_vae, bare)
    with pytest.raises(ValueError, match="labelled rows of at least two classes"):
        baselines.evaluate(bare)


def test_a_convolutional_rival_learns_the_digits_and_repeats():
    digits = load.load(load.Config(transform=transforms.Config(flatten=False)))
    sizes = dgdn.Config(elements=(20, 40), sizes=(3, 3), pooling=(2,))
    rows = digits.test.take(np.arange(200))
    errors = []
    for _ in range(2):
        classes = convnet.train(digits, digits.labelled, digits.validation.take(np.arange(50)), sizes)
        errors.append(np.mean(classes(digits.observe(rows)) != rows.label))
    assert errors[0] < 0.2 and errors[0] == errors[1]


def test_rivals_learn_the_digits_and_repeat(digits):
    rows = digits.test.take(np.arange(200))
    result = baselines.evaluate(digits, rows, mlp.Config(hidden=(32,)), limit=300)
    assert result["baseline_unlabelled_rows"] == 300
    for name in set(baselines.NAMES) - {"convnet"}:  # It was not asked for.
        assert result[f"baseline_{name}_error"] < 0.4, name
    assert result == baselines.evaluate(digits, rows, mlp.Config(hidden=(32,)), limit=300)


def test_rivals_never_see_test_labels(digits):
    rows = digits.test.take(np.arange(100))
    shuffled = Examples(rows.image, np.roll(rows.label, 1))
    one, two = (baselines.evaluate(digits, part, mlp.Config(hidden=(8,)), limit=100) for part in (rows, shuffled))
    # Predictions are the same, so an error on labels that mean nothing is near guessing.
    assert two["baseline_svm_error"] > 0.7 > one["baseline_svm_error"]


def test_labels_spread_along_the_moons(rng):
    angle = rng.uniform(0, np.pi, 300)
    label = np.arange(300) % 2
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[label == 1] = [1.0, 0.5] - points[label == 1]
    points += 0.05 * rng.normal(size=points.shape)
    known = np.concatenate([np.flatnonzero(label == k)[:3] for k in (0, 1)])
    spreading = baselines.label_spreading(points[known], label[known], points)
    assert np.mean(spreading.predict(points) != label) < 0.02
