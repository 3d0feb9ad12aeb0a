"""Stein VAE against what it must do to particles and against exact posteriors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.inference import stein
from tfvae.models import stein as models
from tfvae.networks import conv, mlp
from tfvae.networks.implicit import ImplicitMLP
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
        alone = svgd.direction(z[:, point][None], 1.0 - z[:, point][None], own="out")
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
        moved = model._svgd_step(batch, seed)
        pulled = -tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(moved - z) * z, axis=-1))
    for ours, expected in zip(gradients, tape.gradient(pulled, model.encoder.trainable_variables)):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)


def test_antithetic_draws_are_mirror_images_and_leave_each_other_out(batch):
    model, seed = build(antithetic=True, step_size=1.0), noise.seed(1)
    xi = model._xi(seed)
    np.testing.assert_array_equal(xi[:3], -xi[3:])
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    z = model.encoder(image, xi)

    def log_joint(z):
        return model._log_p_image(z, image) + model.p_z.log_prob(z)

    phi, _ = stein.directions(log_joint, z, kernels.RBF, "median", own="pair_out")
    np.testing.assert_allclose(model._svgd_step(batch, seed) - z, phi, rtol=1e-4, atol=1e-5)


def test_a_skip_and_players_apart_train_every_variable(batch):
    model = build(skip=True, encoder_apart=True, label_weight=1.0)
    players = model.players()
    assert set(players) == {"encoder", "decoders"}
    paths = {variable.path for player in players.values() for variable in player.variables}
    assert paths == {variable.path for variable in model.trainable_variables}
    assert any("scale" in path for path in paths)
    bounds = model.log_prob_bound(batch["unlabelled"]["image"], 20, noise.seed(2))
    assert np.isfinite(bounds).all()


def test_decoders_learn_at_the_moved_particles_and_not_through_them(batch):
    """Their gradients are those at constant codes, and the encoder's are of its distance alone."""
    model, seed = build(label_weight=1.0, prior_variance=0.0, step_size=0.5), noise.seed(1)
    assert set(model.objective(batch, seed).terms) == {"log_likelihood", "label_log_prob", "bound"}
    with tf.GradientTape(persistent=True) as tape:
        objective = model.objective(batch, seed, training=True)
    assert set(objective.terms) == {"log_likelihood", "label_log_prob"}
    moved = tf.constant(model._svgd_step(batch, seed).numpy())
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    with tf.GradientTape(persistent=True) as constant:
        value = tf.reduce_mean(model.p_x_given_z(moved).log_prob(image))
        value += tf.reduce_mean(model._log_p_targets(moved, batch).value)
        distance = 0.5 * tf.reduce_mean(tf.reduce_sum((model.codes(image, 6, seed) - moved) ** 2, axis=-1))
    decoders = [*model.p_x_given_z.trainable_variables, *model.heads["label"].trainable_variables]
    for ours, expected in zip(tape.gradient(objective.loss, decoders), constant.gradient(value, decoders)):
        np.testing.assert_allclose(ours, -expected, rtol=1e-4, atol=1e-6)
    encoder = model.encoder.trainable_variables
    for ours, expected in zip(tape.gradient(objective.loss, encoder), constant.gradient(distance, encoder)):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5)


def test_the_score_of_a_labelled_image_has_its_label(batch):
    """ζ log p(y | z) moves the particles of labelled images and no others (eq. 4.54)."""
    seed, plain, told = noise.seed(2), build(), build(label_weight=50.0)
    for variable, other in zip(plain.encoder.variables, told.encoder.variables):
        variable.assign(other)
    for variable, other in zip(plain.p_x_given_z.variables, told.p_x_given_z.variables):
        variable.assign(other)
    difference = np.abs(plain._svgd_step(batch, seed) - told._svgd_step(batch, seed)).max(axis=(0, 2))
    assert (difference[:3] > 1e-3).all()
    np.testing.assert_allclose(difference[3:], 0.0, atol=1e-5)


@pytest.mark.parametrize("network", [NET, conv.Config(filters=(3, 4), kernel=3)], ids=["mlp", "conv"])
def test_batches_of_several_sizes_share_one_trace(rng, network):
    """The last batch of the validation rows is smaller, and TensorFlow then traces once for any number of rows."""
    shape = (5,) if network is NET else (8, 8, 1)
    image = lambda num: tf.constant(rng.random([num, *shape]) > 0.5, tf.float32)  # noqa: E731
    batch = {
        "labelled": {"image": image(3), "label": tf.constant([0, 1, 2])},
        "unlabelled": {"image": image(4)},
    }
    config = models.Config(latent_dim=2, network=network, num_samples=6, label_weight=1.0)
    model, seed = config.build(DataInfo(shape, 3, 50, 10)), noise.seed(1)
    spec = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), batch)
    measured = tf.function(lambda batch: model.objective(batch, seed), input_signature=[spec])(batch)
    expected = model.objective(batch, seed)
    np.testing.assert_allclose(measured.loss, expected.loss, rtol=1e-4)
    for name, values in expected.terms.items():
        np.testing.assert_allclose(measured.terms[name], values, rtol=1e-4, atol=1e-4)


def test_several_encoder_steps_go_nearer_to_the_moved_particles(batch):
    from tfvae import settings
    from tfvae.training import optimiser

    distances = []
    for steps in (1, 8):
        model = build(encoder_steps=steps, step_size=0.5).prepare(batch)
        chosen = optimiser.of_players(settings.Config(learning_rate=1e-2), 10, model.players())
        model.compile(optimizer=chosen, jit_compile=False, auto_scale_loss=False)
        seed = model.step_seed()
        moved = model._svgd_step(batch, seed)
        model.train_step(batch)
        image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
        distances.append(float(tf.reduce_mean((model.codes(image, 6, seed) - moved) ** 2)))
        assert {name: int(its.iterations) for name, its in model.optimisers.items()} == (
            {"encoder": steps, "decoders": 1} if steps > 1 else {"model": 1}
        )
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


def test_particles_weigh_by_the_joint_over_their_density_without_the_label(batch):
    """z' = z + ε φ of every image by itself, weights p(x, z) / q(z) (eqs. 4.42 and 4.43)."""
    model, seed = build(inference="stein_importance", label_weight=3.0, step_size=0.1), noise.seed(4)
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    z, log_q = model._with_density(image, model.p_xi.sample(6, seed=seed))
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = model.p_x_given_z(z).log_prob(image) + model.p_z.log_prob(z)
        told = log_p + tf.reshape(model._log_p_targets(z, batch).value, log_p.shape)
    scores, weights = tape.gradient(told, z), log_p - log_q
    moved = model._svgd_step(batch, seed)
    for row in range(len(image)):
        phi = svgd.direction(z[:, row][None], scores[:, row][None], log_weights=weights[:, row][None], own="out")[0]
        np.testing.assert_allclose(moved[:, row], z[:, row] + 0.1 * phi, rtol=1e-3, atol=1e-4)


def test_bounds_draw_the_noise_of_every_image_by_itself():
    """Two rows of one image have other draws, so that a mean over rows averages the noise too."""
    model, image = build(), tf.ones([2, 5])
    weights = model.log_weights(image, noise.seed(0), 3)
    assert np.abs(weights[:, 0] - weights[:, 1]).min() > 1e-4


def test_both_modes_of_a_posterior_are_found(rng):
    """Figure 4.1's point in one dimension: p(z | x) has modes at ±3, and draws of f(x, ξ) lie at both."""
    encoder = ImplicitMLP(1, 1, mlp.Config(hidden=(32, 32), activation="tanh"))
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
        ({"num_samples": 0}, INFO, "`model.num_samples` must be an integer in"),
        ({"own": "maybe"}, INFO, "`model.own` must be one of"),
        ({"num_samples": 1}, INFO, "at least 2 with own='out'"),
        ({"num_samples": 5, "antithetic": True}, INFO, "even for antithetic draws, got 5"),
        ({"parameter_particles": 2, "inference": "stein_importance"}, INFO, "no importance weights"),
        ({"label_weight": 1.0}, INFO._replace(num_labelled=0), "needs labelled images"),
        ({"network": mlp.Config(hidden=(7,), batch_norm=True)}, INFO, "batch_norm=False"),
        ({}, INFO._replace(image_shape=(4, 4, 1)), "data.transform.flatten=True"),
        ({"label_weight": 1.0}, INFO._replace(num_classes=0), "model.label_weight=0"),
    ],
)
def test_what_is_no_model_is_refused(fields, info, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(models.Config(latent_dim=2, network=NET), **fields).build(info)


def test_one_particle_of_the_parameters_climbs_to_the_posterior_mode(batch):
    """eq. (4.11) without j: ∇ [mean log p(x | z', θ) + log p(θ) / N]."""
    model, seed = build(label_weight=1.0, prior_variance=0.5), noise.seed(5)
    moved = model._svgd_step(batch, seed)
    with tf.GradientTape() as tape:
        loss = model._losses_at(batch, seed, moved).loss
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    with tf.GradientTape() as plain:
        value = tf.reduce_mean(model.p_x_given_z(moved).log_prob(image))
    theta = model.p_x_given_z.trainable_variables
    for ours, likelihood, weights in zip(tape.gradient(loss, theta), plain.gradient(value, theta), theta):
        np.testing.assert_allclose(ours, -(likelihood - weights / (0.5 * 50)), rtol=1e-3, atol=1e-6)


def test_particles_of_the_parameters_follow_steins_direction(batch, rng):
    """φ(θ_j) / N by loops in NumPy, of image and label decoder each with its own kernel (eqs. 4.11 and 4.51)."""
    model, seed = build(label_weight=2.0, parameter_particles=3, prior_variance=0.5), noise.seed(5)
    moved = model._svgd_step(batch, seed)
    with tf.GradientTape(persistent=True) as tape:
        loss = model._losses_at(batch, seed, moved).loss
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    flat = tf.reshape(moved[:, :3], [-1, 2])
    label = tf.tile(batch["labelled"]["label"], [6])
    with tf.GradientTape(persistent=True) as plain:
        log_p_x = tf.reduce_mean(model.p_x_given_z(moved).log_prob(image), axis=[1, 2])
        of_labels = tf.math.log_softmax(model.heads["label"].logits.params(flat)) * tf.one_hot(label, 3)
        log_p_y = tf.reduce_mean(tf.reduce_sum(of_labels, axis=-1), axis=1)
        sums = tf.reduce_sum(log_p_x), tf.reduce_sum(log_p_y)
    groups = [
        (model.p_x_given_z.trainable_variables, sums[0], 50, 50),
        # ζ = 2 · 5 / (3 ρ), so that the mean over the batch has 10 / 3 of the mean over labelled images.
        (model.heads["label"].trainable_variables, sums[1], 10, 10 * 3 / (2 * 5)),
    ]
    for variables, total, num, count in groups:
        scores = num * flattened(plain.gradient(total, variables)) - flattened(variables) / 0.5
        expected = svgd_by_loops(flattened(variables), scores) / count
        np.testing.assert_allclose(flattened(tape.gradient(loss, variables)), -expected, rtol=2e-3, atol=1e-5)


def flattened(tensors):
    return np.concatenate([np.reshape(tensor, [3, -1]) for tensor in tensors], axis=1)


def svgd_by_loops(theta, scores):
    num = len(theta)
    squares = ((theta[:, None] - theta[None]) ** 2).sum(-1)
    h = np.sort(squares[np.triu_indices(num, 1)])[(num * (num - 1) // 2 - 1) // 2]
    phi = np.zeros_like(theta)
    for i in range(num):
        for j in range(num):
            k = np.exp(-squares[j, i] / h)
            phi[i] += k * scores[j] + 2 / h * k * (theta[i] - theta[j])
    return phi / num


def test_codes_see_the_mean_over_particles_and_the_bound_their_mixture(batch):
    model, seed = build(parameter_particles=3), noise.seed(6)
    image = batch["unlabelled"]["image"]
    z = model.codes(image, 6, seed)
    of_each = model.p_x_given_z(z).log_prob(image)
    np.testing.assert_allclose(model._log_p_image(z, image), tf.reduce_mean(of_each, axis=0), rtol=1e-5)
    mixed = tf.reduce_logsumexp(of_each, axis=0) - np.log(3)
    np.testing.assert_allclose(model.decode(z).log_prob(image), mixed, rtol=1e-5)


def test_a_model_with_particles_trains(batch):
    from tfvae import settings
    from tfvae.training import optimiser

    model = build(parameter_particles=3, label_weight=1.0).prepare(batch)
    adam = optimiser.from_settings(settings.Config(learning_rate=1e-2), steps_per_epoch=10)
    adam.build(model.trainable_variables)
    model.compile(optimizer=adam, jit_compile=False, auto_scale_loss=False)
    step = tf.function(lambda: model.train_step(batch))
    first = float(step()["log_likelihood"])
    for _ in range(60):
        last = step()
    assert float(last["log_likelihood"]) > first
    spread = tf.math.reduce_std(model.p_x_given_z.trainable_variables[0], axis=0)
    assert tf.reduce_mean(spread) > 1e-2


def test_draws_of_the_posterior_itself_have_no_discrepancy():
    """A decoder that says nothing of z: p(z | x) = p(z), of which an encoder z = ξ draws and z = ξ + 2 does not."""
    model, image = build(network=mlp.Config(hidden=(2,), activation="tanh")), tf.zeros([2, 5])
    for variable in [*model.encoder.weights, *model.p_x_given_z.weights]:
        variable.assign(tf.zeros(variable.shape))
    model.encoder.merge.maps[1].kernel.assign(0.05 * np.eye(2))
    model.encoder.dense[0].kernel.assign(1.0 / 0.05 * np.eye(2))
    right = model.stein_discrepancy(image, 300, noise.seed(0)).numpy()
    model.encoder.dense[0].bias.assign([2.0, 0.0])
    wrong = model.stein_discrepancy(image, 300, noise.seed(0)).numpy()
    assert (np.abs(right) < 0.05).all() and (wrong > 0.5).all()
