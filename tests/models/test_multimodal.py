"""Objectives of several modalities against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import multimodal
from tfvae.models.multimodal import Explained
from tfvae.networks import modality
from tfvae.probability import families, noise

tfd = families.tfd
Z = 2
SHAPES = {"image": (2, 2, 1), "image_b": (3, 1, 1)}
DENSE = modality.Config(kind="dense", hidden=6)


def info(**further):
    return DataInfo(SHAPES["image"], 3, 50, 10, further_images={name: SHAPES[name] for name in ("image_b",)}, **further)


def binary(num, name, seed=0):
    return tf.constant(np.random.default_rng(seed).integers(0, 2, [num, *SHAPES[name]]), tf.float32)


def streams(pairs=5, first=7, second=4):
    return {
        "paired": {name: binary(pairs, name) for name in SHAPES},
        "unlabelled": {"image": binary(first, "image", 1)},
        "image_b": {"image_b": binary(second, "image_b", 2)},
    }


def built(**fields):
    keras.utils.set_random_seed(0)
    return multimodal.Config(latent_dim=Z, network=DENSE, **fields).build(info()).prepare(streams())


class LinearGaussian:
    """x_m ~ N(W_m z, s²): its posteriors of one and of both are known, and so is log p(x, y)."""

    def __init__(self, rng, scale=0.7):
        self.w = {name: rng.normal(size=[np.prod(shape), Z]).astype("float32") for name, shape in SHAPES.items()}
        self.scale = scale

    def covariance(self, names):
        w = np.concatenate([self.w[name] for name in names])
        return w, w @ w.T + self.scale**2 * np.eye(len(w))

    def log_prob(self, given):
        _, covariance = self.covariance(given)
        flat = tf.concat([tf.reshape(x, [x.shape[0], -1]) for x in given.values()], axis=-1)
        return tfd.MultivariateNormalFullCovariance(
            tf.zeros(flat.shape[-1]), tf.constant(covariance, tf.float32)
        ).log_prob(flat)

    def decoder(self, name):
        def p_x(z, training=False):
            mean = tf.reshape(tf.matmul(z, self.w[name], transpose_b=True), [*z.shape[:-1], *SHAPES[name]])
            return tfd.Independent(tfd.Normal(mean, self.scale), 3)

        return p_x

    def posterior(self, given, training=False):
        """Exact, with full covariance."""
        w, covariance = self.covariance(given)
        flat = tf.concat([tf.reshape(x, [x.shape[0], -1]) for x in given.values()], axis=-1)
        gain = (w.T @ np.linalg.inv(covariance)).astype("float32")
        return _FullGaussian(tf.matmul(flat, gain, transpose_b=True), np.eye(Z) - gain @ w)


class _FullGaussian:
    def __init__(self, mean, covariance):
        self.q = tfd.MultivariateNormalTriL(mean, tf.constant(np.linalg.cholesky(covariance), tf.float32))

    def sample(self, num, seed):
        return self.q.sample(num, seed=seed)

    def log_prob(self, z):
        return self.q.log_prob(z)


@pytest.fixture
def linear(rng, monkeypatch):
    model, truth = built(), LinearGaussian(rng)
    monkeypatch.setattr(model, "p_given_z", {name: truth.decoder(name) for name in SHAPES})
    return model, truth


def test_the_joint_bound_is_tight_at_the_true_posterior_and_below_elsewhere(linear, monkeypatch):
    model, truth = linear
    given = {name: tf.random.stateless_normal([4, *shape], [1, 2]) for name, shape in SHAPES.items()}
    exact = truth.log_prob(given)
    log_p, log_ratio = model.log_weights(given, given, 500, noise.seed(0))
    assert np.all(np.mean(sum(log_p.values()) + log_ratio, axis=0) < exact)
    monkeypatch.setattr(model, "posterior", truth.posterior)
    np.testing.assert_allclose(model.joint_log_prob_bound(given, 1, noise.seed(0)), exact, rtol=1e-4)


def test_log_p_of_y_given_x_by_importance_sampling_is_the_exact_one(linear, monkeypatch):
    model, truth = linear
    monkeypatch.setattr(model, "posterior", truth.posterior)
    given = {name: tf.random.stateless_normal([4, *shape], [1, 2]) for name, shape in SHAPES.items()}
    x, y = ({name: given[name]} for name in SHAPES)
    exact = truth.log_prob(given) - truth.log_prob(x)
    np.testing.assert_allclose(model.conditional_log_prob(x, y, 20_000, noise.seed(3)), exact, atol=0.1)


def test_the_product_of_experts_is_the_posterior_of_gaussians():
    experts = [families.DiagGaussian(tf.constant([[1.0, -2.0]]), tf.constant([[0.0, 0.5]])),
               families.DiagGaussian(tf.constant([[3.0, 0.0]]), tf.constant([[1.0, -1.0]]))]  # fmt: skip
    z = tf.random.stateless_normal([50, 1, 2], [1, 1])
    found = multimodal._product(experts).log_prob(z)
    wanted = families.standard_normal(2).log_prob(z) + sum(q.log_prob(z) for q in experts)
    np.testing.assert_allclose(found - found[0], wanted - wanted[0], atol=1e-4)


@pytest.mark.parametrize("joint", multimodal.JOINTS)
def test_a_stream_of_one_modality_leaves_the_others_untouched(joint):
    model = built(joint=joint)
    with tf.GradientTape() as tape:
        loss = model.objective({"unlabelled": streams()["unlabelled"]}, noise.seed(1), training=True).loss
    for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
        of_other = "image_b" in variable.path or "q_z_all" in variable.path
        assert (gradient is None) == of_other, variable.path


def test_every_mean_is_over_its_own_stream_and_lambda_is_of_the_pairs():
    batch = streams(pairs=5, first=70, second=2)
    losses = {}
    for weight in (1.0, 0.3):
        model = built(pair_weight=weight, free_bits=0.0)
        objective = model.objective(batch, noise.seed(1), training=True)
        means = {name: float(np.mean(value)) for name, value in objective.terms.items()}
        losses[weight] = float(objective.loss)
        expected = -weight * means["bound"] - means["image_bound"] - means["image_b_bound"]
        np.testing.assert_allclose(losses[weight], expected, rtol=1e-5)
    assert losses[1.0] != losses[0.3]


def test_the_translation_objective_is_the_mean_of_both_bounds_and_needs_no_joint_encoder():
    model = built(objective="translation", free_bits=0.0, pair_weight=0.1)
    batch, seed = {"paired": streams()["paired"]}, noise.seed(1)
    objective, given = model.objective(batch, seed, training=True), model.given(batch["paired"])
    each = [model.explained(given, {name: x}, noise.fold_in(noise.fold_in(seed, 0), i)).bound()
            for i, (name, x) in enumerate(given.items())]  # fmt: skip
    np.testing.assert_allclose(objective.loss, -np.mean(each), rtol=1e-5)
    assert not any("q_z_all" in variable.path for variable in model.variables)
    with pytest.raises(ValueError, match="one modality at a time"):
        model.posterior(given)


def test_free_bits_by_hand():
    # Means of the columns: 0.25, 0.75, 2; of these 0.5, 0.75 and 2 are taken.
    explained = Explained(tf.constant([-1.0, -3.0]), tf.constant([[0.1, 1.0, 2.0], [0.4, 0.5, 2.0]]))
    np.testing.assert_allclose(explained.surrogate(0.5, 1.0), -2.0 - 3.25)
    np.testing.assert_allclose(explained.surrogate(0.0, 1.0), np.mean(explained.bound()), rtol=1e-6)
    np.testing.assert_allclose(explained.bound(), [-4.1, -5.9], rtol=1e-6)


def test_free_bits_are_in_the_loss_of_training_alone():
    model, batch = built(free_bits=50.0), streams()
    trained, measured = (model.objective(batch, noise.seed(1), training) for training in (True, False))
    assert trained.loss > measured.loss + 100.0
    np.testing.assert_allclose(trained.terms["bound"], measured.terms["bound"], rtol=1e-5)


@pytest.mark.parametrize("objective", ["joint", "translation"])
def test_a_label_is_a_modality_too(objective):
    config = multimodal.Config(
        latent_dim=Z, network=DENSE, targets=("label",), objective=objective, joint="product", free_bits=0.0
    )
    label = tf.constant([0, 1, 2, 1, 0])
    batch = streams() | {"labelled": {"image": binary(5, "image"), "label": label}}
    model = config.build(info()).prepare(batch)
    terms = model.objective(batch, noise.seed(0)).terms
    assert {"bound", "image_label_bound", "image_bound", "image_b_bound"} <= set(terms)
    assert model.classify(batch["labelled"]["image"]).shape == (5, 3)
    drawn = model.endpoints()["translate_label_to_image"].function(label, tf.range(5, dtype=tf.int64))
    assert drawn["image"].shape == (5, *SHAPES["image"])


def test_a_caption_is_a_modality_too():
    words = tf.constant([[2, 3, 0, 0], [3, 3, 2, 0], [2, 0, 0, 0]])
    data = info()._replace(vocabulary=("<end>", "?", "left", "right"), caption_length=4)
    batch = {"captioned": {"image": binary(3, "image"), "caption": words}} | streams()
    config = multimodal.Config(latent_dim=Z, network=DENSE, targets=("caption",), objective="translation")
    model = config.build(data).prepare(batch)
    with tf.GradientTape() as tape:
        loss = model.objective(batch, noise.seed(0), training=True).loss
    assert None not in tape.gradient(loss, model.trainable_variables)
    assert model.caption(batch["captioned"]["image"])[0].shape == (3, 4)
    drawn = model.endpoints()["translate_caption_to_image_b"].function(words, tf.range(3, dtype=tf.int64))
    assert drawn["image_b"].shape == (3, *SHAPES["image_b"])


def test_what_no_stream_would_train_is_refused():
    batch = streams()
    del batch["image_b"]
    config = multimodal.Config(latent_dim=Z, network=DENSE)
    with pytest.raises(ValueError, match="No stream holds `image_b` alone"):
        config.build(info()).prepare(batch)
    multimodal.Config(latent_dim=Z, network=DENSE, objective="translation").build(info()).prepare(batch)


@pytest.mark.parametrize("fields,match", [
    ({"objective": "both"}, "objective"), ({"joint": "sum"}, "joint"), ({"pair_weight": 0.0}, "pair_weight"),
    ({"likelihoods": {"image_c": "bernoulli"}}, "image_c"), ({"targets": ("tags",)}, "tags"),
    ({"targets": ("label",)}, "joint=product"), ({"targets": ("caption",)}, "caption"),
    ({"likelihood": "gaussian"}, "categorical"),
])  # fmt: skip
def test_configurations_that_cannot_be_trained_are_refused(fields, match):
    with pytest.raises(ValueError, match=match):
        multimodal.Config(latent_dim=Z, network=DENSE, **fields).build(info())


def test_layers_begin_with_unit_variance_on_the_first_batch():
    batch = streams(pairs=200)
    model = multimodal.Config(latent_dim=Z, network=DENSE).build(info()).prepare(batch)
    h = model.features_of["image_b"].layers[-2].output
    features = keras.Model(model.features_of["image_b"].input, h)(batch["paired"]["image_b"])
    np.testing.assert_allclose(np.var(features, axis=0), 1.0, rtol=1e-3)
    np.testing.assert_allclose(np.mean(features, axis=0), 0.0, atol=1e-4)
