"""One contract over all heads."""

import importlib
import inspect
import itertools
import pkgutil

import numpy as np
import pytest
import tensorflow as tf

from tfvae import heads
from tfvae.capabilities import Capability
from tfvae.heads import caption, tags
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.heads.caption import Caption
from tfvae.heads.head import Head
from tfvae.heads.softmax import Softmax
from tfvae.heads.tags import Tags
from tfvae.probability import families, noise

LATENT, CLASSES, LENGTH = 3, 4, 3
WORDS = ("<end>", "<unk>", "red", "square")
IMAGE_SHAPE = (2, 2, 1)
SMALL = caption.Config(hidden=5, embedding=4, decoding=caption.decodings.Config(unknown=True))

BUILD = {
    "softmax": lambda: Softmax(LATENT, CLASSES, name="label_softmax"),
    "softmax_particles": lambda: Softmax(LATENT, CLASSES, num_particles=3, name="label_softmax"),
    "bayesian_svm": lambda: BayesianSvm(LATENT, CLASSES, gamma=0.3, name="label_svm"),
    "caption_gru": lambda: Caption(LATENT, WORDS, LENGTH, SMALL, name="caption_words"),
    "caption_lstm": lambda: Caption(
        LATENT, WORDS, LENGTH, caption.Config("lstm", hidden=5, embedding=4), name="caption_words"
    ),
    "tags_energy": lambda: Tags((1, 1, LATENT), WORDS, tags.Config(), name="tag_words"),
    "tags_projection": lambda: Tags((1, 1, LATENT), WORDS, tags.Config("projection"), name="tag_words"),
}

every_head = pytest.mark.parametrize("name", BUILD)


def build(name):
    head = BUILD[name]()
    rng = np.random.default_rng(1)
    for variable in head.weights:
        variable.assign((0.1 if isinstance(head, Tags) else 1.0) * rng.normal(size=variable.shape))
    return head


def every_target(head):
    """All classes, or all sets of tags, or all captions: those that end, and those that would go on behind the last
    place.
    """
    if isinstance(head, Tags):
        return tf.constant(list(itertools.product([0.0, 1.0], repeat=len(WORDS))))
    if not isinstance(head, Caption):
        return tf.range(CLASSES)
    words = range(1, len(WORDS))
    ended = [(*said, *[0] * (LENGTH - n)) for n in range(LENGTH) for said in itertools.product(words, repeat=n)]
    return tf.constant([*ended, *itertools.product(words, repeat=LENGTH)], tf.int32)


def some_targets(head, num):
    return tf.gather(every_target(head), np.arange(num) % len(every_target(head)))


@pytest.fixture
def z(rng):
    return tf.constant(rng.normal(size=[6, LATENT]), tf.float32)


class Model:
    """What a head asks of a model: codes of images, here their first pixels."""

    image_shape = IMAGE_SHAPE

    def encode(self, image):
        mean = tf.reshape(image, [-1, 4])[:, :LATENT]
        return families.DiagGaussian(mean, tf.fill(tf.shape(mean), -200.0))

    def codes(self, image, num_samples=1, seed=None):
        mean = tf.reshape(image, [-1, 4])[:, :LATENT]
        if seed is None:
            return mean[None]
        return mean + noise.uniform([num_samples, *mean.shape], seed)


def test_every_head_is_here():
    for module in pkgutil.iter_modules(heads.__path__):
        found = vars(importlib.import_module(f"tfvae.heads.{module.name}")).values()
        for kind in found:
            if inspect.isclass(kind) and issubclass(kind, Head) and not inspect.isabstract(kind):
                assert any(type(make()) is kind for make in BUILD.values()), f"{kind.__name__} answers no contract"


@every_head
def test_log_prob_is_normalised_or_a_pseudo_likelihood(name, z):
    """Σ_t p(t | z) = 1; at most 1 for the mean over particles of logarithms; a hinge has no normaliser."""
    head = build(name)
    targets = every_target(head)
    for code in z[:3]:
        log_p = head.log_prob(tf.repeat(code[None], len(targets), axis=0), targets)
        assert log_p.shape == (len(targets),)
        total = float(tf.reduce_sum(tf.exp(log_p)))
        if name == "bayesian_svm":
            hinge = np.maximum(1 - (2 * np.eye(CLASSES) - 1) * head.decision(code[None]).numpy(), 0).sum(axis=1)
            np.testing.assert_allclose(log_p, -2 * 0.3 * hinge, rtol=1e-4)
        elif name == "softmax_particles":
            assert 0.0 < total < 1.0
        else:
            assert total == pytest.approx(1.0, rel=1e-4)


@every_head
def test_the_surrogate_has_the_value_and_the_slope_of_log_prob(name, z):
    head = build(name)
    targets, found = some_targets(head, len(z)), []
    for function in (head.log_prob, head.surrogate):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = function(z, targets)
        found.append((value, tape.gradient(value, z)))
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@every_head
def test_a_gradient_reaches_every_weight(name, z):
    head = build(name)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(head.surrogate(z, some_targets(head, len(z)))) + head.log_prior()
    assert value.shape == ()
    dead = [v.path for v, g in zip(head.trainable_weights, tape.gradient(value, head.trainable_weights)) if g is None]
    assert not dead, f"no gradient reaches {dead}"


@every_head
def test_outcomes_are_counted(name, z):
    head = build(name)
    targets = every_target(head)
    expected = len(WORDS) if isinstance(head, Tags) else CLASSES
    if isinstance(head, Caption):  # The end is a word too; a caption without one has as many as there are places.
        expected = [list(row).index(0) + 1 if 0 in row else LENGTH for row in targets.numpy()]
    np.testing.assert_array_equal(head.num_outcomes(targets), expected)


@every_head
def test_a_prediction_averages_over_draws_of_the_code(name, z, rng):
    """The same code many times is one code, and other draws predict something else."""
    head = build(name)
    draws = tf.constant(rng.normal(size=[5, 6, LATENT]), tf.float32)
    once, often, other = head.predict(z[None]), head.predict(tf.repeat(z[None], 5, axis=0)), head.predict(draws)
    for a, b, c in zip(*map(tf.nest.flatten, (once, often, other))):
        assert a.shape == c.shape and a.shape[0] == 6
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert np.abs(tf.nest.flatten(once)[-1] - tf.nest.flatten(other)[-1]).max() > 1e-3


@every_head
def test_answers_are_methods_and_declare_a_capability(name, rng):
    head, model = build(name), Model()
    answers = head.answers(model)
    declared = [capability for capability in Capability if capability in answers]
    assert declared, "a head by which nothing can be asked"
    image = tf.constant(rng.normal(size=[2, *IMAGE_SHAPE]), tf.float32)
    for capability in declared:
        of_mean, of_draws = answers[capability](image), answers[capability](image, 3, noise.seed(0))
        expected = head.predict(model.codes(image))
        for ours, theirs in zip(tf.nest.flatten(of_mean), tf.nest.flatten(expected)):
            np.testing.assert_array_equal(ours, theirs)
        assert np.abs(tf.nest.flatten(of_mean)[-1] - tf.nest.flatten(of_draws)[-1]).max() > 0


@every_head
def test_endpoints_trace_and_answer_a_batch(name, rng):
    image = tf.constant(rng.normal(size=[2, *IMAGE_SHAPE]), tf.float32)
    for endpoint in build(name).endpoints(Model()).values():
        assert [spec.shape[0] for spec in endpoint.signature] == [None] and endpoint.signature[0].name == "image"
        answer = tf.function(endpoint.function, input_signature=endpoint.signature)(image)
        assert {len(value) for value in answer.values()} == {2}


def test_a_served_caption_is_not_drawn(rng):
    sampling = caption.Config(hidden=5, embedding=4, decoding=caption.decodings.Config("sample", unknown=True))
    head = Caption(LATENT, WORDS, LENGTH, sampling)
    head.set_weights(build("caption_gru").get_weights())
    image = tf.constant(rng.normal(size=[2, *IMAGE_SHAPE]), tf.float32)
    (served,) = head.endpoints(Model()).values()
    np.testing.assert_array_equal(served.function(image)["caption"], head.caption(Model(), image, decoding="beam")[0])


def test_captions_of_several_codes_are_as_probable_as_their_mean(z, rng):
    head = build("caption_gru")
    codes, words = tf.constant(rng.normal(size=[5, 2, LATENT]), tf.float32), some_targets(head, 2)
    each = np.stack([head.log_prob(s, words) for s in codes])
    np.testing.assert_allclose(head.caption_log_prob(codes, words), np.log(np.exp(each).mean(axis=0)), rtol=1e-4)
