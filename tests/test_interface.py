"""tfvae from Python: a run and an export answer alike, for arrays and files of every natural form."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfvae
from tfvae.serving import signatures

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "v0_1" / "run_directories" / "sdgm_digits"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tfvae.open(shutil.copytree(FIXTURE, tmp_path_factory.mktemp("runs") / "digits"))


def test_a_run_answers_about_its_test_rows(run):
    images, labels = run.test.image, run.test.label
    found = run.classify(images)
    assert found.class_names == run.class_names == tuple("0123456789")
    assert found.probabilities.shape == (len(images), 10) and found.confidence.shape == (len(images),)
    right = np.mean([name == run.class_names[label] for name, label in zip(found.labels, labels)])
    assert right > 0.2  # After two epochs.
    assert run.encode(images[:3]).shape == (3, 4)
    assert run.reconstruct(images[:3]).shape == (3, *run.image_shape)
    assert run.score(images[:3]).shape == (3,)


def test_every_form_of_the_same_images_gets_the_same_answer(run, tmp_path):
    images = run.test.image[:3]
    paths = []
    for i, image in enumerate(images):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(image[..., 0]).save(paths[-1])
    expected = run.classify(images).probabilities
    forms = {
        "floats": images.astype("float64") / 255.0, "no channel": images[..., 0], "paths": paths,
        "texts": [str(path) for path in paths], "list of arrays": list(images), "tensor": tf.constant(images),
        "color": np.repeat(images, 3, axis=-1),
    }  # fmt: skip
    for name, form in forms.items():
        np.testing.assert_allclose(run.classify(form).probabilities, expected, atol=1e-5, err_msg=name)
    for name, one in {"array": images[0], "path": paths[0], "text": str(paths[0])}.items():
        np.testing.assert_allclose(run.classify(one).probabilities, expected[:1], atol=1e-5, err_msg=name)


def test_images_of_another_size_are_read_as_files_are(run, tmp_path, rng):
    large = rng.integers(0, 256, [30, 20, 3]).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    ours, files = run.encode(large[None]), run.encode(tmp_path / "large.png")
    np.testing.assert_allclose(ours, files, atol=1e-5)


def test_samples_repeat_for_a_seed_and_have_a_class(run):
    np.testing.assert_array_equal(run.sample(3, seed=1), run.sample(3, seed=1))
    assert np.abs(run.sample(3, seed=1) - run.sample(3, seed=2)).max() > 0
    assert run.sample(2, label="7").shape == (2, *run.image_shape) == run.sample(2, label=7).shape
    with pytest.raises(ValueError, match="The classes are 0, 1"):
        run.sample(2, label="eleven")


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (np.zeros([2, 8, 8, 1], np.int64), "uint8, or floats"),
        (np.full([2, 8, 8, 1], 255.0), "got 255 to 255. Divide gray levels"),
        (np.full([2, 8, 8, 1], np.nan), "must be finite"),
        (np.zeros([2, 64], np.float32), r"must have the shape \[N, 8, 8, 1\], got \[2, 64\]"),
    ],
)
def test_what_are_no_images_is_told(run, images, told):
    with pytest.raises(ValueError, match=told):
        run.classify(images)


def test_what_a_model_cannot_is_told_with_what_it_can(run):
    with pytest.raises(ValueError, match="cannot caption; it can classify, encode"):
        run.caption(run.test.image[:1])
    with pytest.raises(ValueError, match="was not evaluated yet"):
        print(run.metrics)


def test_an_export_answers_as_the_model_in_memory(exported_sdgm):
    model, data, version = exported_sdgm
    served = signatures.served_endpoints(model, data.transforms, data.class_names)
    loaded, images = tfvae.load_export(version), data.test.image[:4]
    assert loaded.class_names == data.class_names and loaded.image_shape == (8, 8, 1)
    expected = served["classify"].function(tf.constant(images / np.float32(255.0)))
    found = loaded.classify(images)
    np.testing.assert_allclose(found.probabilities, expected["probabilities"], rtol=1e-4, atol=1e-6)
    assert found.labels == [label.decode() for label in expected["label"].numpy()]
    assert loaded.sample(2).shape == (2, 8, 8, 1) and loaded.score(images).shape == (4,)


def test_a_preset_is_trained_and_opened(tmp_path):
    experiment = tfvae.preset("vae_digits", "tiny")
    experiment.training.epochs = 1
    run = tfvae.train(experiment, tmp_path / "run")
    assert isinstance(experiment, tfvae.Experiment)
    assert run.encode(run.test.image[:2]).shape == (2, experiment.model.latent_dim)
    with pytest.raises(ValueError, match="cannot classify; it can encode"):
        run.classify(run.test.image[:1])
    with pytest.raises(ValueError, match="no preset 'vae_digit'"):
        tfvae.preset("vae_digit")


def test_an_export_says_how_sure_it_is_and_what_is_new(exported_sdgm):
    _, data, version = exported_sdgm
    loaded, images = tfvae.load_export(version), data.test.image[:4]
    found, new = loaded.classify(images), loaded.novelty(images)
    assert new.held_out == len(data.validation) == loaded.calibration["novelty"]["rows"]
    np.testing.assert_allclose(found.p_value, new.p_value)
    assert found.calibrated.shape == found.probabilities.shape
    loaded.calibration = {"missing": {"novelty": "there is no validation row"}}
    loaded.functions = lambda: {"classify": None}
    with pytest.raises(ValueError, match="cannot say what is new: there is no validation row"):
        loaded.novelty(images)


def test_no_images_have_an_answer_without_rows(run, exported_sdgm):
    for asked in (run, tfvae.load_export(exported_sdgm[2])):
        for none in (np.zeros([0, 8, 8, 1], np.uint8), np.zeros([0, 8, 8, 1]), np.zeros([0, 30, 20, 3], np.uint8), []):
            found = asked.classify(none)
            assert found.labels == [] and found.probabilities.shape == (0, 10) and found.confidence.shape == (0,)
            assert asked.encode(none).shape == (0, 4) and asked.score(none).shape == (0,)
        assert asked.sample(0).shape == (0, 8, 8, 1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_files_of_every_kind_that_training_reads_are_answered(run, suffix, tmp_path):
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(run.test.image[0, ..., 0]).save(tmp_path / f"a.{suffix}", **options)
    np.testing.assert_allclose(run.encode(tmp_path / f"a.{suffix}"), run.encode(run.test.image[:1]), atol=0.2)


FAMILIES = ("sdgm_digits", "dgdn_digits", "stein_digits")


@pytest.fixture(scope="module", params=FAMILIES)
def opened(request, tmp_path_factory):
    return tfvae.open(shutil.copytree(FIXTURE.parent / request.param, tmp_path_factory.mktemp("runs") / request.param))


ARRAYS = {
    "images": lambda x: x, "floats": lambda x: x / np.float32(255), "flat": lambda x: x.reshape(len(x), -1),
    "no channel": lambda x: x[..., 0] / np.float32(255), "one image": lambda x: x[0] / np.float32(255),
    "list": lambda x: (x / np.float32(255)).tolist(), "tensor": tf.constant, "paths": lambda x: ["a.png"] * len(x),
    "integers": lambda x: x.astype(np.int64), "flat floats": lambda x: x.reshape(len(x), -1) / np.float32(255),
}  # fmt: skip


@pytest.mark.parametrize("form", ARRAYS)
def test_natural_calls_on_the_model_are_answered_or_told_what_to_do(opened, form):
    """A model by itself takes observations and batches; whatever else it is given, it says whom to ask."""
    model, given = opened.model, ARRAYS[form](opened.test.image[:3])
    shape = np.shape(given)
    is_observation = shape[1:] == tuple(model.image_shape) and np.asarray(given).dtype.kind == "f"
    for name in ("classify", "encode", "reconstruct"):
        if is_observation:
            getattr(model, name)(given)
        else:
            with pytest.raises(ValueError, match=rf"`model.{name}` takes observations.*run.{name}\(images\)"):
                getattr(model, name)(given)
    calls = {
        "ask a run": (model, model.predict, model.predict_on_batch),
        "measure a run": (model.evaluate, model.test_on_batch),
        "train an experiment": (model.fit, model.train_on_batch),
    }  # fmt: skip
    for advice, methods in calls.items():
        for call in methods:
            with pytest.raises(ValueError, match=f"batches of streams.*{advice}"):
                call(given)


def test_natural_calls_without_images_are_answered_or_told(opened, tmp_path):
    model = opened.model
    assert model.sample(2, seed=0).shape == (2, *model.image_shape) and model.count_params() > 0 and model.layers
    np.testing.assert_array_equal(model.sample(2, seed=3), model.sample(2, 3))
    for call, told in ((model.save, "tfvae.open"), (model.export, "tfvae-export")):
        with pytest.raises(NotImplementedError, match=told):
            call(tmp_path / "model")
    with pytest.raises(ValueError, match="does not answer `caption`"):
        model.caption(opened.test.image[:1])
    with pytest.raises(AttributeError, match=r"no attribute 'score'; a run has it: run.score\(images\)"):
        model.score(opened.test.image[:1])
