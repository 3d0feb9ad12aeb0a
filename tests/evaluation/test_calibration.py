"""Temperature and held-out scores: fitted on validation rows alone, kept with the weights and served."""

import dataclasses
import hashlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.presets import embedded
from tfvae.evaluation import calibration
from tfvae.serving import signatures
from tfvae.storage import checked_json

# A family of each kind: with classes summed out, with heads, implicit, without labels, and a density without data.
FAMILIES = ["sdgm_digits", "m2_mnist", "m1m2_mnist", "dgdn_digits", "stein_vae_digits", "vae_digits", "vae_newsgroups"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that knows digits well enough to tell them from noise."""
    experiment = tfvae.preset("sdgm_digits", "tiny")
    experiment.training.epochs = 25
    return tfvae.train(experiment, tmp_path_factory.mktemp("runs") / "digits")


@pytest.mark.parametrize("preset", FAMILIES)
def test_every_family_answers_what_its_validation_rows_allow(preset):
    experiment, data = embedded(preset)
    model = experiment.model.build(data.info, seed=0).prepare(next(iter(data.training_batches(0))))
    fitted = calibration.fit(model, data)
    assert fitted == calibration.fit(model, data)
    json.dumps(fitted.described(), allow_nan=False)
    assert (fitted.temperature is not None) == model.can("classify")
    assert len(fitted.scores) == min(len(data.validation), 1000) and list(fitted.scores) == sorted(fitted.scores)
    own, served = model.endpoints(), fitted.endpoints(model)
    assert set(served) == {*own, "novelty"}
    image = tf.constant(data.observe(data.test.take(np.arange(3))))
    p = served["novelty"].function(image)["p_value"].numpy()
    assert p.shape == (3,) and p.min() >= 1 / (len(fitted.scores) + 1) - 1e-6 and p.max() <= 1.0
    if model.can("classify"):
        before, after = own["classify"].function(image), served["classify"].function(image)
        assert set(after) == {*before, "calibrated_probabilities", "p_value"}
        np.testing.assert_allclose(after["probabilities"], before["probabilities"])
        np.testing.assert_allclose(after["p_value"], p)


def test_what_is_missing_is_said_and_left_out():
    experiment, data = embedded("sdgm_digits")
    model = experiment.model.build(data.info, seed=0)
    none = dataclasses.replace(data, validation=data.validation.take(np.arange(0)))
    fitted = calibration.fit(model, none)
    assert fitted.missing == {
        "temperature": "there is no validation row",
        "novelty": "the model has no bound of single images, or there is no validation row",
    }
    assert set(fitted.endpoints(model)) == set(model.endpoints())
    unlabelled = data.validation.with_columns(label=np.full(len(data.validation), -1))
    fitted = calibration.fit(model, dataclasses.replace(data, validation=unlabelled))
    assert fitted.missing == {"temperature": "no validation row has a label"} and fitted.scores
    served = signatures.served_endpoints(model, data.transforms, data.class_names, calibration=fitted)
    answer = served["classify"].function(tf.constant(data.test.image[:2] / np.float32(255.0)))
    assert set(answer) == {"probabilities", "class", "label", "p_value"}


def test_a_density_without_data_has_neither():
    experiment, data = embedded("auxiliary_vae_potential")
    model = experiment.model.build(data.info, seed=0)
    fitted = calibration.fit(model, data)
    assert fitted.temperature is None and not fitted.scores and set(fitted.missing) == {"temperature", "novelty"}


def test_test_rows_are_never_asked():
    experiment, data = embedded("sdgm_digits")
    model = experiment.model.build(data.info, seed=0)
    assert calibration.fit(model, dataclasses.replace(data, test=None)) == calibration.fit(model, data)


def test_noise_and_blank_images_are_new_and_images_of_the_same_kind_are_not(trained, rng):
    same = trained.novelty(trained.test.image)
    assert same.held_out == len(trained.data.validation)
    for level in (0.05, 0.2, 0.5):  # The held-out rows are few, so that their own luck counts too.
        share, spread = np.mean(same.p_value <= level), np.sqrt(level * (1 - level) / same.held_out)
        assert abs(share - level) < 4 * spread + 0.02, f"{share} of the test rows have p <= {level}"
    strange = {
        "noise": rng.integers(0, 256, [20, *trained.image_shape]).astype(np.uint8),
        "inverted": 255 - trained.test.image[:20],
        "gray": np.full([1, *trained.image_shape], 128, np.uint8),
    }
    for name, images in strange.items():
        p = trained.novelty(images).p_value
        assert np.median(p) <= 2 / (same.held_out + 1), name


def test_it_is_kept_with_the_weights_that_it_was_fitted_on(trained):
    stored = checked_json.read(trained.workdir / "calibration.json")
    weights = (trained.workdir / "best.weights.h5").read_bytes()
    assert stored["weights"] == hashlib.sha256(weights).hexdigest()
    kept = calibration.of_run(trained.model, trained.workdir)
    fitted = calibration.fit(trained.model, trained.data)
    assert kept.temperature == pytest.approx(fitted.temperature, rel=1e-4)
    np.testing.assert_allclose(kept.scores, fitted.scores, rtol=1e-4)
    other = trained.workdir / "of_other_weights"
    other.mkdir()
    checked_json.write(other / "calibration.json", {**stored, "temperature": 77.0})
    (other / "best.weights.h5.sha256").write_text("0" * 64 + "  best.weights.h5\n")
    assert calibration.of_run(trained.model, other, lambda: trained.data).temperature == pytest.approx(
        fitted.temperature
    )


def test_python_says_both_beside_the_raw_probabilities(trained):
    found = trained.classify(trained.test.image[:5])
    raw = trained.model.classify(trained.data.observe(trained.data.test.take(np.arange(5))))
    np.testing.assert_allclose(found.probabilities, raw, atol=1e-5)
    temperature = trained.calibration["temperature"]["value"]
    expected = np.power(found.probabilities, 1 / temperature)
    np.testing.assert_allclose(found.calibrated, expected / expected.sum(axis=1, keepdims=True), atol=1e-4)
    np.testing.assert_array_equal(found.calibrated.argmax(axis=1), found.probabilities.argmax(axis=1))
    np.testing.assert_allclose(found.p_value, trained.novelty(trained.test.image[:5]).p_value)


def test_a_run_of_0_1_has_them_too(tmp_path):
    fixture = pathlib.Path(__file__).parent.parent / "fixtures" / "v0_1" / "run_directories" / "sdgm_digits"
    before = {path.name for path in fixture.iterdir()}
    run = tfvae.open(fixture)
    assert run.novelty(run.test.image[:2]).p_value.shape == (2,) and run.classify(run.test.image[:2]).calibrated.any()
    assert {path.name for path in fixture.iterdir()} == before, "asking writes nothing"
