"""DGDN without a recognition model: what it answers, and what it refuses."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import TAGS, DataInfo
from tfvae.models import dgdn, dgdn_sampled
from tfvae.networks import dgdn as networks
from tfvae.probability import noise

NETWORK = networks.Config(elements=(3, 4), sizes=(3, 2), pooling=(2,), zero_blocks=True)
INFO = DataInfo((8, 8, 1), 3, 50, 50)
CONFIG = dgdn_sampled.GibbsConfig(NETWORK, test_burn_in=3, test_kept=4)


@pytest.fixture(scope="module")
def model():
    built = CONFIG.build(INFO)
    built.head.beta.assign(tf.random.stateless_normal(built.head.beta.shape, [1, 2]))
    return built


@pytest.fixture(scope="module")
def image():
    return tf.constant(np.random.default_rng(0).normal(size=[3, 8, 8, 1]), tf.float32)


def test_a_class_is_that_of_decision_values_averaged_over_codes(model, image):
    codes = model.codes(image, 5, noise.seed(1)).numpy()
    beta = model.head.beta.numpy()
    decision = (codes @ beta[:-1] + beta[-1]).mean(axis=0)
    np.testing.assert_array_equal(
        np.argmax(model.classify(image, 5, noise.seed(1)), axis=-1), np.argmax(decision, axis=-1)
    )


def test_what_is_asked_without_a_seed_is_the_same_every_time(model, image):
    np.testing.assert_array_equal(model.encode(image).mean(), model.encode(image).mean())
    np.testing.assert_array_equal(model.reconstruct(image), model.reconstruct(image))


def test_an_element_is_what_a_unit_in_the_middle_adds(model):
    element = model.dictionary_elements(0)[1].numpy()
    expected = model.deconvnet.dictionaries[0].dictionary.numpy()[..., 1]
    rows, columns = np.nonzero(np.abs(element[..., 0]) > 0)
    found = element[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert model.dictionary_elements(1).shape == (4, 8, 8, 1)


def test_variables_read_what_was_written(model):
    before = model.read()
    shared = before._replace(noise_precision=tf.constant(7.0), kappa=tf.constant(0.3))
    model.write(shared, [tf.convert_to_tensor(usual) for usual in model.deconvnet.usual])
    for ours, its in zip(tf.nest.flatten(model.read()), tf.nest.flatten(shared)):
        np.testing.assert_allclose(ours, its, rtol=1e-4)
    model.write(before, [tf.convert_to_tensor(usual) for usual in model.deconvnet.usual])


def test_without_a_label_weight_there_are_no_classifiers(image):
    model = dataclasses.replace(CONFIG, label_weight=0.0).build(INFO)
    assert model.head is None and model.read().beta.shape == (model.latent_dim + 1, 0)
    with pytest.raises(ValueError, match=r"`model\.label_weight` above 0"):
        model.classify(image)


def test_a_spike_leaves_maps_of_the_code_off(image):
    model = dataclasses.replace(CONFIG, spike=True, label_weight=0.0).build(INFO)
    model.usage.assign([1e-6, 0.5, 0.5, 1 - 1e-6])
    codes = model.codes(image, 4, noise.seed(1)).numpy().reshape(4, 3, -1, 4)
    assert (codes != 0).any(axis=2)[..., 3].all()
    assert np.isfinite(model.log_prob_bound(image, 3, noise.seed(2))).all()
    assert np.isfinite(model.sample(2, noise.seed(3))).all()


def test_dictionaries_have_the_names_and_shapes_of_the_recognition_model(model):
    other = dgdn.Config(NETWORK).build(INFO)
    wanted = {v.path: v.shape for v in other.transferable_variables()}
    for variable in model.transferable_variables():
        assert wanted[variable.path] == variable.shape
    dispensable = {v.path for v in other.dispensable_variables()}
    assert set(wanted) - dispensable == {v.path for v in model.transferable_variables()}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"map_prior": "dirichlett"}, r"`model.map_prior` must be one of .*'dirichlett'"),
        ({"written": "best"}, "`model.written`"),
        ({"test_code": "median"}, "`model.test_code`"),
        ({"label_weight": 0.5}, "`model.gamma` sets"),
        ({"gamma": 0.0}, "`model.gamma` must be a number in"),
        ({"test_kept": 0}, "`model.test_kept` must be an integer in"),
        ({"ramp_steps": 5, "max_noise_precision": 0.0}, "set `model.max_noise_precision` above 0"),
        ({"noise_prior": (0.0, 1.0)}, "`model.noise_prior` must be a tuple of 2 numbers in"),
        ({"test_burn_in": -1}, "`model.test_burn_in` must be an integer in"),
        ({"network": networks.Config((3, 4), (9, 2), (2,))}, "are too small: layer 1 has 8×8 cells"),
        ({"network": networks.Config((3, 60), (3, 2), (2,))}, "50 training images cannot tell 60 elements"),
        ({"network": networks.Config((3, 4), (3, 2), (0,))}, "`model.network.pooling` must be"),
        ({"network": networks.Config((3, 4), (3, 1), (16,), zero_blocks=True)}, "at most 256 outcomes.*got 257"),
    ],
)
def test_what_is_wrong_is_said(fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **fields).build(INFO)


def test_vectors_and_single_classes_are_refused():
    with pytest.raises(ValueError, match=r"`data\.transform\.flatten=False`"):
        CONFIG.build(INFO._replace(image_shape=(64,)))
    with pytest.raises(ValueError, match="at least two classes"):
        CONFIG.build(INFO._replace(num_classes=1))


def test_the_config_alone_does_not_say_how_it_is_learned():
    with pytest.raises(NotImplementedError, match="GibbsConfig"):
        dgdn_sampled.Config(NETWORK).build(INFO).learner()


TAGGED = INFO._replace(names={TAGS: ("loop", "open", "round")}, num_tagged=10)


@pytest.mark.parametrize("cluster_by", ["code", "usage"])
def test_clusters_are_answered_drawn_and_bounded(image, cluster_by):
    model = dataclasses.replace(CONFIG, label_weight=0.0, clusters=5, cluster_by=cluster_by).build(INFO)
    probs = model.cluster(image)
    np.testing.assert_allclose(np.sum(probs, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(probs, model.cluster(image))
    assert model.cluster(image, 3, noise.seed(1)).shape == (3, 5) and model.cluster_weights().shape == (5,)
    assert np.isfinite(model.log_prob_bound(image, 3, noise.seed(2))).all()
    assert np.isfinite(model.sample(4, noise.seed(3))).all()


def test_a_bound_with_clusters_that_are_all_alike_is_that_without(image):
    """Five times N(0, I) is N(0, I), whichever cluster an image is given."""
    plain = dataclasses.replace(CONFIG, label_weight=0.0).build(INFO)
    model = dataclasses.replace(CONFIG, label_weight=0.0, clusters=5).build(INFO)
    for layer, other in zip(model.deconvnet.dictionaries, plain.deconvnet.dictionaries):
        layer.dictionary.assign(other.dictionary)
    model.p_s.means.assign(tf.zeros_like(model.p_s.means))
    bounds = [np.mean(of.log_prob_bound(image, 400, noise.seed(2))) for of in (plain, model)]
    np.testing.assert_allclose(*bounds, atol=1.0)


def test_tags_are_what_elements_that_are_on_say(image):
    model = dataclasses.replace(CONFIG, label_weight=0.0, tag_weight=1.0).build(TAGGED)
    model.usage.assign([1 - 1e-6] * 4)
    phi = np.random.default_rng(0).dirichlet([0.3] * 3, 4).T
    model.tag_words.phi.assign(phi)
    on = (model.inferred_codes(image, 1, None).numpy().reshape(4, 3, -1, 4) != 0).any(axis=2).astype(float)
    expected = np.mean(1.0 - np.exp(-on @ np.log1p(phi).T), axis=0)
    np.testing.assert_allclose(model.tag(image), expected, rtol=1e-5)
    np.testing.assert_allclose(model.tag_usage(image), on.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"clusters": 1}, r"an integer, 0 or in \[2, "),
        ({"clusters": 3, "cluster_by": "label"}, r"`model\.cluster_by` must be one of"),
        ({"clusters": 3, "spike": True}, r"set `model\.cluster_by=usage`"),
        ({"tag_weight": 0.5}, "`model.tag_weight` must be one of 0, 1, got 0.5"),
        ({"tag_weight": 1.0}, "needs tags"),
        ({"strength_prior": (0.0, 1.0)}, r"`model\.strength_prior` must be a tuple of 2 numbers in"),
    ],
)
def test_what_does_not_go_together_is_told(changed, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(CONFIG, **changed).build(INFO)
