"""Stein VAE against what it must do to particles and against exact posteriors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.inference import stein
from tfvae.models import stein as models
from tfvae.networks import mlp
from tfvae.networks.implicit import ImplicitEncoder
from tfvae.probability import kernels, noise, svgd

NET = mlp.Config(hidden=(7, 6), activation="tanh")
INFO = DataInfo((5,), 3, 50, 10)


@pytest.fixture
def batch(rng):
    def image(num):
        return tf.constant(rng.random([num, 5]) > 0.5, tf.float32)

    return {
        "labelled": {"image": image(3), "label": tf.constant([0, 1, 2])},
        "unlabelled": {"image": image(4)},
    }


def build(**fields):
    return models.Config(**{"latent_dim": 2, "network": NET, "num_samples": 6, **fields}).build(INFO)


def test_the_direction_is_that_of_each_data_point_by_itself(rng):
    z = tf.constant(rng.normal(size=[6, 3, 2]), tf.float32)
    log_joint = lambda z: -0.5 * tf.reduce_sum((z - 1.0) ** 2, axis=-1)  # noqa: E731
    phi, log_p = stein.directions(log_joint, z, kernels.RBF, "median")
    np.testing.assert_allclose(log_p, log_joint(z))
    for point in range(3):
        alone = svgd.direction(z[:, point][None], 1.0 - z[:, point][None])
        np.testing.assert_allclose(phi[:, point], alone[0], rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_encoder_is_the_direction_pulled_back(batch):
    """∇_η ½ mean (1/M) Σ ‖f − (z + ε φ)‖² at f = z is −ε mean (1/M) Σ φᵀ ∂f/∂η (eq. 4.13)."""
    model, seed = build(step_size=0.3), noise.seed(1)
    with tf.GradientTape() as tape:
        loss = model.objective(batch, seed, training=True).loss
    gradients = tape.gradient(loss, model.encoder.trainable_variables)
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    with tf.GradientTape() as tape:
        z = model.codes(image, 6, seed)
        moved = model._moved(batch, seed)
        pulled = -tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(moved - z) * z, axis=-1))
    for ours, expected in zip(gradients, tape.gradient(pulled, model.encoder.trainable_variables)):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)


def test_decoders_learn_at_the_moved_particles_and_not_through_them(batch):
    model = build(label_weight=1.0)
    assert "bound" in model.objective(batch, noise.seed(1)).terms
    with tf.GradientTape() as tape:
        objective = model.objective(batch, noise.seed(1), training=True)
    decoders = [*model.p_x_given_z.trainable_variables, *model.heads["label"].trainable_variables]
    assert all(g is not None for g in tape.gradient(objective.loss, decoders))
    assert set(objective.terms) == {"log_likelihood", "label_log_prob"}


def test_the_score_of_a_labelled_image_has_its_label(batch):
    """ζ log p(y | z) moves the particles of labelled images and no others (eq. 4.54)."""
    seed, plain, told = noise.seed(2), build(), build(label_weight=50.0)
    for variable, other in zip(plain.variables, told.variables):
        if variable.shape == other.shape:
            variable.assign(other)
    for variable, other in zip(plain.encoder.variables, told.encoder.variables):
        variable.assign(other)
    for variable, other in zip(plain.p_x_given_z.variables, told.p_x_given_z.variables):
        variable.assign(other)
    difference = np.abs(plain._moved(batch, seed) - told._moved(batch, seed)).max(axis=(0, 2))
    assert (difference[:3] > 1e-3).all()
    np.testing.assert_allclose(difference[3:], 0.0, atol=1e-5)


def test_several_encoder_steps_go_nearer_to_the_moved_particles(batch):
    from tfvae.training import optimiser, settings

    distances = []
    for steps in (1, 8):
        model = build(encoder_steps=steps, step_size=0.5).prepare(batch)
        adam = optimiser.from_settings(settings.Config(learning_rate=1e-2), steps_per_epoch=10)
        adam.build(model.trainable_variables)
        model.compile(optimizer=adam, jit_compile=False, auto_scale_loss=False)
        seed = model.step_seed()
        moved = model._moved(batch, seed)
        model.train_step(batch)
        image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
        distances.append(float(tf.reduce_mean((model.codes(image, 6, seed) - moved) ** 2)))
    assert distances[1] < distances[0]


def test_the_bound_is_below_the_evidence_and_tightens(batch):
    """The evidence of images by a grid over z of two dimensions; the encoder is all but z = 1.3 ξ."""
    model, image = build(network=mlp.Config(hidden=(2,), activation="tanh")), batch["unlabelled"]["image"]
    axis = tf.linspace(-6.0, 6.0, 161)
    grid = tf.reshape(tf.stack(tf.meshgrid(axis, axis), axis=-1), [-1, 1, 2])
    log_joint = model.p_x_given_z(grid).log_prob(image) + model.p_z.log_prob(grid)
    evidence = tf.reduce_logsumexp(log_joint, axis=0) + 2 * np.log(12 / 160)
    for variable in model.encoder.weights:
        variable.assign(tf.zeros(variable.shape))
    model.encoder.merge.maps[1].kernel.assign(0.05 * np.eye(2))
    model.encoder.dense[0].kernel.assign(1.3 / 0.05 * np.eye(2))
    few, many = (model.log_weights(image, noise.seed(3), num).numpy() for num in (200, 40_000))
    assert (few.mean(axis=0) < evidence.numpy()).all()  # The mean of log weights is a bound.
    many = tf.reduce_logsumexp(many, axis=0) - np.log(40_000)
    np.testing.assert_allclose(many, evidence, atol=0.1)


def test_importance_weights_change_the_direction(batch):
    plain, weighted = build(), build(inference="stein_importance")
    for variable, other in zip(plain.variables, weighted.variables):
        variable.assign(other)
    seed = noise.seed(4)
    assert np.abs(plain._moved(batch, seed) - weighted._moved(batch, seed)).max() > 1e-4


def test_both_modes_of_a_posterior_are_found(rng):
    """Figure 4.1's point in one dimension: p(z | x) has modes at ±3, and draws of f(x, ξ) lie at both."""
    encoder = ImplicitEncoder(1, 1, mlp.Config(hidden=(32, 32), activation="tanh"))
    adam = tf.keras.optimizers.Adam(3e-3)
    adam.build(encoder.trainable_variables)
    image = tf.zeros([1, 1])

    def log_joint(z):
        return tf.reduce_logsumexp(-2.0 * (z - tf.constant([3.0, -3.0])) ** 2, axis=-1)

    @tf.function
    def step(seed):
        xi = noise.normal([60, 1], seed)
        with tf.GradientTape() as tape:
            z = encoder(image, xi)
            phi, _ = stein.directions(log_joint, z, kernels.RBF, "median/log")
            loss = -tf.reduce_mean(tf.reduce_sum(phi * z, axis=-1))
        adam.apply(tape.gradient(loss, encoder.trainable_variables), encoder.trainable_variables)

    for t in range(800):
        step(noise.seed(t))
    z = encoder(image, noise.normal([2000, 1], noise.seed(10_000))).numpy().ravel()
    assert 0.3 < (z > 0).mean() < 0.7 and (np.abs(np.abs(z) - 3) < 1.5).mean() > 0.8


@pytest.mark.parametrize(
    ("fields", "info", "told"),
    [
        ({"inference": "magic"}, INFO, "`model.inference` must be one of"),
        ({"kernel": "box"}, INFO, "`model.kernel` must be one of"),
        ({"bandwidth": "mean"}, INFO, "`model.bandwidth` must be one of"),
        ({"num_samples": 0}, INFO, "at least 1"),
        ({}, INFO._replace(image_shape=(4, 4, 1)), "data.transform.flatten=True"),
        ({"label_weight": 1.0}, INFO._replace(num_classes=0), "model.label_weight=0"),
    ],
)
def test_what_is_no_model_is_refused(fields, info, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(models.Config(latent_dim=2, network=NET), **fields).build(info)
