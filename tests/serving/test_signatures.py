import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.configs import sdgm_digits, vae_digits
from tfvae.data import load, records, transforms
from tfvae.models import vae
from tfvae.networks import mlp
from tfvae.probability import noise
from tfvae.serving import requests, signatures


@pytest.fixture(scope="module")
def sdgm():
    experiment = sdgm_digits.get_config("tiny")
    data = load.load(experiment.data)
    model = experiment.model.build(data.info, seed=0)
    return model.prepare(next(iter(data.training_batches(0)))), data


@pytest.fixture(scope="module")
def ask(sdgm):
    """(signature, *arguments) -> {name: array} in a graph, as it is served."""
    model, data = sdgm
    served = signatures.served_endpoints(model, data.transforms, data.class_names)
    functions = {
        name: tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)
        for name, endpoint in served.items()
    }

    def answer(name, *arguments):
        outputs = functions[name](*(tf.constant(argument) for argument in arguments))
        return {key: value.numpy() for key, value in outputs.items()}

    answer.endpoints = served
    return answer


@pytest.fixture(scope="module")
def rows(sdgm):
    return sdgm[1].validation.image[:3]


def _intensities(rows):
    return (rows / 255.0).astype(np.float32)


def _png(rows):
    return [tf.io.encode_png(row).numpy() for row in rows]


def _example(png):
    feature = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[png]))}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def test_every_signature_is_offered_and_classify_is_the_default(ask):
    assert next(iter(ask.endpoints)) == "classify"
    assert set(ask.endpoints) == {
        "classify", "classify_bytes", "classify_example", "encode", "encode_bytes", "reconstruct", "reconstruct_bytes",
        "sample", "sample_bytes", "score", "score_bytes", "evaluate_example", "classify_bytes_checked",
        "encode_bytes_checked",
    }  # fmt: skip


def test_encode_is_the_default_of_a_model_without_labels():
    config = vae_digits.get_config("tiny")
    data = load.load(config.data)
    served = signatures.served_endpoints(config.model.build(data.info), data.transforms, data.class_names)
    assert next(iter(served)) == "encode"
    assert "classify_example" not in served


def test_images_come_in_as_intensities_and_out_as_pictures(sdgm, ask, rows):
    model, data = sdgm
    got = ask("reconstruct", _intensities(rows))["image"]
    want = data.transform.picture(model.reconstruct(data.transform.observe(rows)))
    assert got.shape == rows.shape and got.min() >= 0.0 and got.max() <= 1.0
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_label_is_the_name_of_the_most_probable_class(sdgm, ask, rows):
    answer = ask("classify", _intensities(rows))
    np.testing.assert_allclose(answer["probabilities"].sum(axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(answer["class"], answer["probabilities"].argmax(axis=-1))
    assert answer["label"].tolist() == [sdgm[1].class_names[k].encode() for k in answer["class"]]


@pytest.mark.parametrize("name", ["classify", "encode", "reconstruct", "score"])
def test_a_lossless_file_is_answered_as_its_intensities_are(ask, rows, name):
    seeds = [np.arange(3, dtype=np.int64)] if name == "score" else []
    from_floats, from_bytes = ask(name, _intensities(rows), *seeds), ask(f"{name}_bytes", _png(rows), *seeds)
    for key, value in from_floats.items():
        if value.dtype == object:
            np.testing.assert_array_equal(from_bytes[key], value)
        else:
            np.testing.assert_allclose(from_bytes[key], value, rtol=1e-4, atol=1e-4)


def test_a_tf_example_is_answered_as_its_image_is(ask, rows):
    want = ask("classify", _intensities(rows))["probabilities"]
    for examples in ([_example(png) for png in _png(rows)], [records.serialise(row, label=1) for row in rows]):
        np.testing.assert_allclose(ask("classify_example", examples)["probabilities"], want, atol=1e-5)


def test_png_answers_are_the_pictures(ask, rows):
    for answer in (ask("reconstruct_bytes", _png(rows)), ask("sample_bytes", np.arange(3, dtype=np.int64))):
        decoded = np.stack([tf.io.decode_png(png).numpy() for png in answer["image_bytes"]])
        np.testing.assert_array_equal(decoded, np.round(255.0 * answer["image"]).astype(np.uint8))


def test_a_seed_repeats_its_sample_and_another_seed_does_not(ask):
    seeds = np.array([1, 2, 1, -(2**63), 2**40 + 1], np.int64)
    image = ask("sample", seeds)["image"]
    np.testing.assert_array_equal(image[0], image[2])
    np.testing.assert_array_equal(image, ask("sample", seeds)["image"])
    assert len({picture.tobytes() for picture in image}) == 4


@pytest.mark.parametrize(
    "name", ["classify", "encode", "reconstruct", "score", "sample", "classify_bytes", "classify_example"]
)
def test_no_answer_depends_on_batch_mates(sdgm, ask, name):
    question = requests.example_requests({name: ask.endpoints[name]}, {"image": sdgm[1].validation.image[:3]})[0]
    arguments = [question.inputs[spec.name] for spec in ask.endpoints[name].signature]
    together = ask(name, *(argument.tolist() if argument.dtype == object else argument for argument in arguments))
    for row in range(3):
        alone = ask(name, *(a[row : row + 1].tolist() if a.dtype == object else a[row : row + 1] for a in arguments))
        for key, value in alone.items():
            if value.dtype == object:
                assert value[0] == together[key][row]
            else:
                np.testing.assert_allclose(value[0], together[key][row], rtol=1e-4, atol=1e-4)


def test_an_empty_batch_has_an_empty_answer(ask):
    assert ask("classify", np.zeros([0, 8, 8, 1], np.float32))["probabilities"].shape == (0, 10)
    answer = ask("classify_bytes", np.zeros([0], "S1"))
    assert answer["probabilities"].shape == (0, 10)


def test_points_are_served_as_they_are():
    points = np.array([[0.5, -2.0], [1.5, 3.0]], np.float32)
    transform = transforms.Transform.fit(transforms.Config(scale="raw"), points)
    config = vae.Config(latent_dim=2, network=mlp.Config(hidden=(4,)), likelihood="gaussian")
    model = config.build(DataInfo((2,), 0, 2, 0))
    served = signatures.served_endpoints(model, {"image": transform})
    assert not [name for name in served if name.endswith("_bytes")]
    got = served["encode"].function(tf.constant(points))["mean"]
    np.testing.assert_allclose(got, model.encode(points).mean(), rtol=1e-5)


def test_wrong_number_of_class_names_is_refused(sdgm):
    model, data = sdgm
    with pytest.raises(ValueError, match="Got 3 class names for a model of 10 classes"):
        signatures.served_endpoints(model, data.transforms, ("a", "b", "c"))


def test_score_is_a_bound_on_a_binary_image_of_its_own_seed(sdgm, ask, rows):
    """Gray intensities have no likelihood under a Bernoulli: each row is binarised by its seed before it is scored."""
    model, data = sdgm
    seeds = np.array([5, 6, 7], np.int64)
    got = ask("score", _intensities(rows), seeds)["bound"]
    for row, seed, bound in zip(rows, seeds, got, strict=True):
        noise_seed = tf.bitcast(tf.constant(seed), tf.int32)
        x = data.transform.observe(row[None], noise.fold_in(noise_seed, 1))
        assert set(np.unique(x)) <= {0.0, 1.0}
        np.testing.assert_allclose(model.log_prob_bound(x, 50, noise_seed)[0], bound, rtol=1e-4)
