"""M2, ADGM and SDGM against enumeration and closed forms."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import inference, settings
from tfvae.batch import DataInfo
from tfvae.inference.label import sum_over_classes
from tfvae.models import adgm, auxiliary_vae, m1m2, m2, vae
from tfvae.networks import mlp
from tfvae.probability import noise
from tfvae.training import optimiser

NET = mlp.Config(hidden=(16,))
CONFIGS = {
    "m2": m2.Config(3, NET),
    "adgm": adgm.Config(3, 2, NET),
    "adgm_seeing_x": adgm.Config(3, 2, NET, auxiliary_sees_image=True),
    "sdgm": adgm.Config(3, 2, NET, skip=True),
    "deterministic": adgm.Config(3, 2, NET, auxiliary="deterministic"),
}
every_model = pytest.mark.parametrize("name", CONFIGS)


@every_model
def test_the_class_table_holds_what_one_class_at_a_time_gives(name, info, batch):
    model = CONFIGS[name].build(info)
    x, seed = batch["unlabelled"]["image"], noise.seed(4)
    # One draw: a is shared by all classes in both, z is not, so only its own noise separates the two.
    table = model.all_classes(x, seed, num_samples=1)
    for k in range(info.num_classes):
        y = tf.one_hot(tf.fill([len(x)], k), info.num_classes)
        one = model.log_weights(x[:, None], y[:, None], seed, num_samples=1)
        np.testing.assert_allclose(one.log_q_y, table.log_q_y, rtol=1e-4, atol=1e-5)
        assert one.weights.value().shape == (1, len(x), 1)
    assert table.weights.value().shape == (1, len(x), info.num_classes)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "deterministic"])
def test_bounds_are_below_the_evidence_and_tighten(name, info, batch):
    """A point mass a has no density, so only the stochastic models have a limit to tighten to."""
    model = dataclasses.replace(CONFIGS[name], num_samples=500).build(info)
    x = batch["unlabelled"]["image"]
    elbo = model.unlabelled_bound(x, noise.seed(0))[0].value
    one_draw = tf.reduce_mean(tf.reduce_logsumexp(model.all_classes(x, noise.seed(1), 500).weights.value(), -1), 0)
    many = model.log_prob_bound(x, 5000, noise.seed(2))
    assert np.all(elbo < one_draw + 0.1), "the classifier's entropy and KL make the ELBO the looser bound"
    assert np.all(one_draw < many + 0.1)


def test_uniform_classifier_over_equal_bounds_adds_log_k():
    bound = tf.fill([2, 4], -7.0)
    log_q = tf.math.log(tf.fill([2, 4], 0.25))
    np.testing.assert_allclose(sum_over_classes(bound, log_q), -7.0 + np.log(4.0), rtol=1e-6)


def test_summing_out_is_tight_at_the_posterior_over_classes(rng):
    log_p_xy = tf.constant(rng.normal(size=[5, 4]).astype("float32"))
    bound = sum_over_classes(log_p_xy, tf.math.log_softmax(log_p_xy))
    np.testing.assert_allclose(bound, tf.reduce_logsumexp(log_p_xy, axis=-1), rtol=1e-5)


def test_a_bound_that_does_not_state_its_sum_over_classes_is_refused(info, batch, monkeypatch):
    """It would be summed as if it were another one."""
    monkeypatch.setitem(inference.BOUNDS, "best", lambda log_weights: tf.reduce_max(log_weights, axis=0))
    with pytest.raises(ValueError, match="how a label is summed out"):
        m2.Config(3, NET, bound="best").build(info)
    vae.Config(3, NET, bound="best").build(info).prepare(batch)


@every_model
def test_loss_is_the_equation(name, info, batch):
    """J of eq. (15) from independently summed terms: −L̄ − α·mean log q(y|x) − Ū, the sign of α as in the erratum."""
    model = CONFIGS[name].build(info)
    seed = noise.seed(2)
    objective = model.objective(batch, seed, training=True)
    terms = {name: float(tf.reduce_mean(value)) for name, value in objective.terms.items()}
    alpha = 0.1 * 50 / 10
    expected = -terms["labelled_bound"] - alpha * terms["label_log_prob"] - terms["bound"]
    assert float(objective.loss) == pytest.approx(expected, rel=1e-5)


def test_the_classifier_is_pushed_towards_the_true_label(info, batch):
    model = m2.Config(3, NET, beta=100.0).build(info)
    labelled = {"labelled": batch["labelled"]}
    optimizer = keras.optimizers.Adam(1e-2)
    before = float(tf.reduce_mean(model.objective(labelled, noise.seed(0)).terms["label_log_prob"]))
    for step in range(30):
        with tf.GradientTape() as tape:
            loss = model.objective(labelled, noise.seed(step), training=True).loss
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    after = float(tf.reduce_mean(model.objective(labelled, noise.seed(0)).terms["label_log_prob"]))
    assert after > before + 0.3


def test_m2_evidence_by_quadrature(info, batch):
    """One latent dimension: Σ_y ∫ p(y) p(z) p(x|y,z) dz on a grid, against the importance-weighted bound."""
    model = m2.Config(1, NET).build(info)
    x = batch["unlabelled"]["image"]
    grid = np.linspace(-8, 8, 2001, dtype=np.float32)
    z = tf.constant(grid[:, None, None, None]) * tf.ones([1, len(x), info.num_classes, 1])
    log_joint = model.p_x_given_yz(tf.eye(3), z).log_prob(x[:, None]) + model.p_z.log_prob(z) - np.log(3.0)
    evidence = tf.reduce_logsumexp(log_joint, axis=[0, 2]) + np.log(grid[1] - grid[0])
    bound = model.log_prob_bound(x, 20_000, noise.seed(0))
    np.testing.assert_allclose(bound, evidence, atol=0.02)


def test_sdgm_evidence_by_quadrature(info, batch):
    """dim(a) = dim(z) = 1: the density of a counts in SDGM, and in ADGM integrates to one."""
    for skip in (False, True):
        model = adgm.Config(1, 1, NET, skip=skip).build(info)
        x = batch["unlabelled"]["image"][:2]
        grid = np.linspace(-6, 6, 121, dtype=np.float32)
        a, z = (tf.constant(g.reshape(-1, 1, 1, 1)) for g in np.meshgrid(grid, grid))
        a, z = (tf.broadcast_to(g, [len(grid) ** 2, 2, 3, 1]) for g in (a, z))
        y = tf.eye(3)
        log_joint = model.p_x(a, y, z).log_prob(x[:, None]) + model.p_a(z, y).log_prob(a) + model.p_z.log_prob(z)
        evidence = tf.reduce_logsumexp(log_joint - np.log(3.0), axis=[0, 2]) + 2 * np.log(grid[1] - grid[0])
        np.testing.assert_allclose(model.log_prob_bound(x, 20_000, noise.seed(0)), evidence, atol=0.05)


def test_importance_weighted_with_one_sample_is_the_elbo(info, batch):
    elbo = adgm.Config(3, 2, NET).build(info)
    weighted = adgm.Config(3, 2, NET, bound="importance").build(info)
    weighted.set_weights(elbo.get_weights())
    losses = [float(model.objective(batch, noise.seed(0), training=True).loss) for model in (elbo, weighted)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_warm_up_scales_the_kl_and_reports_the_true_bound(info, batch):
    model = adgm.Config(3, 2, NET, kl_warmup_steps=10).build(info).prepare(batch)
    model.compile(optimizer="adam")
    plain = adgm.Config(3, 2, NET).build(info)
    plain.set_weights(model.get_weights())
    warm, cold = (m.objective(batch, noise.seed(0), training=True) for m in (model, plain))
    np.testing.assert_allclose(warm.terms["bound"], cold.terms["bound"], rtol=1e-5)
    assert abs(float(warm.loss) - float(cold.loss)) > 0.1
    model.step.assign(10)
    assert float(model.objective(batch, noise.seed(0), training=True).loss) == pytest.approx(float(cold.loss), rel=1e-5)


def test_deterministic_auxiliary_has_no_kl_of_a_and_no_noise(info, batch):
    model = CONFIGS["deterministic"].build(info)
    assert not hasattr(model, "p_a_given_zy")
    assert set(model.kl_per_unit(batch["unlabelled"]["image"], noise.seed(0))) == {"z"}
    table = model.all_classes(batch["unlabelled"]["image"], noise.seed(0), num_samples=4)
    np.testing.assert_array_equal(table.log_q_y[0], table.log_q_y[3])


def test_weight_prior_adds_its_cost(info, batch):
    plain = CONFIGS["m2"].build(info)
    with_prior = dataclasses.replace(CONFIGS["m2"], weight_prior=True).build(info)
    with_prior.set_weights(plain.get_weights())
    costs = [float(model.objective(batch, noise.seed(0)).loss) for model in (plain, with_prior)]
    kernels = [v for v in plain.trainable_variables if v.path.endswith("kernel")]
    expected = sum(float(tf.reduce_sum(k**2)) for k in kernels) / 2 / info.num_train
    assert costs[1] - costs[0] == pytest.approx(expected, rel=1e-3)


def test_batch_norm_follows_every_pass(info, batch):
    config = mlp.Config(hidden=(16,), batch_norm=True)
    model = m2.Config(3, config).build(info)
    before = [v.numpy() for v in model.non_trainable_variables]
    model.objective({"labelled": batch["labelled"]}, noise.seed(0), training=True)
    assert any((b != v.numpy()).any() for b, v in zip(before, model.non_trainable_variables))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (adgm.Config(3, 2, NET, auxiliary="maybe"), "stochastic"),
        (adgm.Config(3, 2, NET, skip=True, auxiliary_sees_image=True), "skip"),
        (m2.Config(3, NET, likelihood="cauchy"), "discretised_logistic"),
        (m2.Config(3, NET, bound="vimco"), "importance"),
        (m2.Config(3, mlp.Config(hidden=())), "hidden"),
        (m2.Config(3, mlp.Config(output_init="zeros")), "output_init"),
        (m1m2.Config(m2=m2.Config(3, NET)), "gaussian"),
        (auxiliary_vae.Config(2, 2, NET, prior="u1"), "nothing"),
        (auxiliary_vae.Config(2, 2, NET, prior="u9"), "nothing|u1"),
    ],
)
def test_a_config_that_cannot_be_is_refused(config, message, info):
    with pytest.raises(ValueError, match=message):
        config.build(info)


def test_labels_are_needed(info):
    with pytest.raises(ValueError, match="two classes"):
        m2.Config(3, NET).build(info._replace(num_classes=0))


def stages(info, batch, m1_steps, **training):
    """An M1+M2 that is ready to train."""
    config = m1m2.Config(
        m1=vae.Config(4, NET), m2=m2.Config(3, NET, likelihood="gaussian"), m1_steps=m1_steps
    )  # fmt: skip
    model = config.build(info).prepare(batch)
    chosen = optimiser.of_players(settings.Config(**training), steps_per_epoch=10, players=model.players())
    model.compile(optimizer=chosen, jit_compile=False, auto_scale_loss=False)
    return model


def test_m1m2_trains_one_model_after_the_other(info, batch):
    model = stages(info, batch, m1_steps=3)
    seen, reported = {"m1": [], "m2": []}, []
    for _ in range(5):
        before = {name: getattr(model, name).get_weights() for name in seen}
        reported.append(set(model.train_step(batch)))
        for name, weights in before.items():
            moved = max(np.abs(w - v).max() for w, v in zip(weights, getattr(model, name).get_weights()))
            seen[name].append(moved > 0)
    assert seen["m1"] == [True, True, True, False, False]
    assert seen["m2"] == [False, False, False, True, True]
    counts = {name: int(of_player.iterations) for name, of_player in model.optimisers.items()}
    assert counts == {"m1": 3, "m2": 2}, "M2 begins with a fresh optimiser"
    assert reported[0] == {"loss_m1", "m1_bound"}
    assert {"loss_m2", "code_bound", "code_labelled_bound", "label_log_prob"} <= reported[-1] - reported[0]


def test_a_compiled_step_of_m1m2_computes_its_own_stage_alone(info, batch):
    """No operation of the other stage's networks is in the graph that `fit` runs."""
    model = stages(info, batch, m1_steps=2)
    for names, absent in ((("m1",), "m2"), (("m2",), "m1")):
        graph = tf.function(lambda names=names: model.round(batch, names)).get_concrete_function().graph
        captured = {id(tensor) for tensor in graph.external_captures}
        gradients_of = [v for v in getattr(model, absent).trainable_variables if id(v.value.handle) in captured]
        if absent == "m2":
            assert not gradients_of
        else:  # Its encoder makes the codes; its decoder has no part in it.
            assert not [v for v in gradients_of if v.path.startswith("m1_p_x")]


def test_m1_learns_from_bare_images_alone(info, batch):
    """Half its loss would be that of the few labelled ones."""
    model = stages(info, batch, m1_steps=2)
    seed = noise.seed(3)
    loss = model.players()["m1"].objective(batch, seed).loss
    expected = model.m1.objective({"unlabelled": batch["unlabelled"]}, seed, training=True).loss
    assert float(loss) == float(expected)
    labelled = {"labelled": batch["labelled"]}
    assert np.isfinite(model.players()["m1"].objective(labelled, seed).loss), "where there are no others"


def test_a_graph_of_a_model_with_stages_says_which(info, batch):
    model = stages(info, batch, m1_steps=2)
    with pytest.raises(ValueError, match="name who plays"):
        tf.function(model.train_step)(batch)


def test_a_part_warms_up_when_its_own_training_begins(info, batch):
    model = m1m2.Config(
        m1=vae.Config(4, NET, kl_warmup_steps=10),
        m2=m2.Config(3, NET, likelihood="gaussian", kl_warmup_steps=10), m1_steps=20,
    ).build(info)  # fmt: skip
    for step, of_m1, of_m2 in ((0, 0.0, 0.0), (5, 0.5, 0.0), (25, 1.0, 0.5)):
        model.step.assign(step)
        assert (float(model.m1.kl_weight(True)), float(model.m2.kl_weight(True))) == (of_m1, of_m2)


def test_data_info_decides_alpha():
    model = m2.Config(3, NET, beta=0.1).build(DataInfo((12,), 10, 60_000, 100))
    assert model.alpha == pytest.approx(60.0)
