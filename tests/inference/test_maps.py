"""Gradients through pooling maps, against the exact ones of a model whose maps can be enumerated."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.inference import maps
from tfvae.inference.maps import MapLikelihood, total_divergence
from tfvae.layers import unpooling
from tfvae.models import dgdn
from tfvae.networks import dgdn as networks
from tfvae.probability import noise

SHAPE = (4, 6, 1)  # Two blocks in each of two maps, 4⁴ outcomes; a block reaches four of six columns.


@pytest.fixture
def tiny(rng):
    """A model with a sharp likelihood, whose code has next to no spread, so that s is a function of (x, u)."""

    def build(estimator, **fields):
        network = networks.Config(elements=(2, 3), sizes=(3, 1), pooling=(2,), **fields)
        model = dgdn.Config(network, map_gradient=estimator, label_weight=0.0, initial_precision=4.0).build(
            DataInfo(SHAPE, 0, 10, 0), seed=0
        )
        weights = np.random.default_rng(1)
        for variable in model.deconvnet.trainable_variables:
            variable.assign(weights.normal(size=variable.shape) * 0.7)
        model.deconvnet.code.w_log_scale.assign(tf.zeros_like(model.deconvnet.code.w_log_scale))
        model.deconvnet.code.b_log_scale.assign(tf.fill(model.deconvnet.code.b_log_scale.shape, -9.0))
        return model

    return build


@pytest.fixture
def image(rng):
    return tf.constant(rng.normal(size=[1, *SHAPE]), tf.float32)


def every_outcome(model, image, through=1.0):
    """All maps at once: `Inferred` and `MapLikelihood` of a row an outcome, and log q(u).

    `through` 0 cuts the gradients that an estimator passes through its masks.
    """
    shape, outcomes = model.deconvnet.map_shape(0), model.deconvnet.num_outcomes[0]
    every = itertools.product(range(outcomes), repeat=int(np.prod(shape)))
    position = tf.constant(np.array(list(every)).reshape(-1, *shape), tf.int32)
    image = tf.tile(image, [len(position), 1, 1, 1])

    def fixed(logits, block, seed):
        drawn = model.map_gradient.draw(logits, block, seed)
        given = maps.observed(logits, position, block)
        up, down = (through * (m - tf.stop_gradient(m)) for m in (drawn.up, drawn.down))
        return given._replace(up=given.up + up, down=given.down + down)

    inferred = model.infer(image, 1, noise.seed(0), fixed)
    masks = [draw.down for draw in inferred.draws]
    lowest = model.deconvnet.lowest(inferred.s, masks)
    log_pixels = model.log_p_pixels(image, model.deconvnet.image(lowest, masks))
    kl_s = 0.5 * tf.reduce_sum(
        inferred.q_s.mean() ** 2 + inferred.q_s.variance() - 1.0 - tf.math.log(inferred.q_s.variance()), axis=-1
    )
    nothing = tf.zeros_like(kl_s)
    likelihood = MapLikelihood(image, log_pixels, kl_s, 1.0, nothing, lowest, tf.exp(model.precision.log()))
    log_prior = -float(np.prod(shape) * np.log(outcomes))
    log_q = tf.reduce_sum(inferred.draws[0].log_ratio, axis=[1, 2, 3]) + log_prior
    return inferred, likelihood, log_q, log_prior


def exact_and_expected(model, image, variables):
    """∇ Σ_u q(u) [f(u) − log q(u) + log p(u)], and Σ_u q(u) ∇ surrogate(u)."""
    with tf.GradientTape(persistent=True) as tape:
        _, likelihood, log_q, log_prior = every_outcome(model, image, through=0.0)
        bound = tf.reduce_sum(tf.exp(log_q) * (likelihood.total() - log_q + log_prior))
        inferred, likelihood, log_q, _ = every_outcome(model, image)
        surrogate = model.map_gradient.surrogate(inferred.draws, likelihood).value
        expected = tf.reduce_sum(tf.stop_gradient(tf.exp(log_q)) * surrogate)
    assert float(tf.reduce_sum(tf.exp(log_q))) == pytest.approx(1.0, rel=1e-5)
    return tape.gradient(bound, variables), tape.gradient(expected, variables)


def unscaled(model):
    """Statistics as if nothing had been seen: no centring, no scaling; a baseline that is not zero."""
    for variance in model.map_gradient.variances:
        variance.assign(tf.zeros_like(variance))
    return model


def code_ignores_maps(model):
    model.deconvnet.code.w_hidden.assign(tf.zeros_like(model.deconvnet.code.w_hidden))
    model.deconvnet.code.b_hidden.assign(tf.ones_like(model.deconvnet.code.b_hidden))
    return model


@pytest.mark.parametrize("fields", [{}, {"zero_blocks": True}])
def test_nvil_equals_the_exact_gradient_in_expectation(tiny, image, fields):
    """Also through the code, which depends on the map that pooled it; whatever the baseline says."""
    model = unscaled(tiny("nvil", **fields))
    exact, expected = exact_and_expected(model, image, model.deconvnet.trainable_variables)
    for variable, ours, theirs in zip(model.deconvnet.trainable_variables, expected, exact):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3, err_msg=variable.path)


@pytest.mark.parametrize("estimator", ["nvil_local", "local_expectation"])
def test_local_estimators_are_exact_where_the_code_does_not_depend_on_the_maps(tiny, image, estimator):
    model = code_ignores_maps(tiny(estimator))
    model = unscaled(model) if estimator == "nvil_local" else model
    variables = [v for v in model.deconvnet.trainable_variables if "pooling" in v.path]
    exact, expected = exact_and_expected(model, image, variables)
    for variable, ours, theirs in zip(variables, expected, exact):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3, err_msg=variable.path)


def test_local_expectation_counts_blank_blocks(tiny, image):
    model = code_ignores_maps(tiny("local_expectation", zero_blocks=True))
    variables = model.deconvnet.pooling[0].trainable_variables
    for ours, theirs in zip(*exact_and_expected(model, image, variables)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)


def test_the_divergence_of_maps_is_the_sum_over_outcomes(tiny, image):
    model = tiny("nvil")
    inferred, _, log_q, log_prior = every_outcome(model, image)
    enumerated = tf.reduce_sum(tf.exp(log_q) * (log_q - log_prior))
    assert float(total_divergence(inferred.draws)[0]) == pytest.approx(float(enumerated), rel=1e-4)


def test_uniform_maps_have_no_divergence():
    logits = tf.fill([1, 2, 2, 3, 4], 0.7)
    draw = maps.observed(logits, tf.zeros([1, 2, 2, 3], tf.int32), block=2)
    np.testing.assert_allclose(draw.divergence, 0.0, atol=1e-6)
    np.testing.assert_allclose(draw.log_ratio, 0.0, atol=1e-6)


def test_a_block_reaches_just_the_pixels_that_it_can_change(tiny, rng):
    """The reach of local signals, against what moves when a block's value changes; with padding, two pooled layers."""
    network = networks.Config(elements=(2, 2, 2), sizes=(3, 2, 1), pooling=(2, 2))
    deconvnet = networks.Deconvnet((11, 9, 1), network)
    for layer in (0, 1):
        rows, columns = deconvnet.reach(layer)
        height, width, _ = deconvnet.map_shape(layer)
        for i, j in itertools.product(range(height), range(width)):
            values = np.zeros([1, height, width, 2], "float32")
            values[0, i, j] = 1.0
            level = deconvnet.levels[layer]
            spread = tf.repeat(tf.repeat(values, level.block, 1), level.block, 2)  # Wherever the maps put it.
            for below in range(layer, -1, -1):
                spread = tf.abs(deconvnet.dictionaries[below](spread))
                (top, _), (left, _) = deconvnet.levels[below].padding
                spread = spread[
                    :, top : top + deconvnet.levels[below].size[0], left : left + deconvnet.levels[below].size[1]
                ]
                if below:
                    block = deconvnet.levels[below - 1].block
                    spread = tf.repeat(tf.repeat(spread, block, 1), block, 2)
            changed = tf.reduce_sum(spread, -1)[0].numpy() > 0
            np.testing.assert_array_equal(changed, np.outer(rows[i], columns[j]) > 0)


@pytest.mark.parametrize("estimator", ["nvil", "nvil_local"])
def test_a_baseline_that_is_far_off_does_not_drive_up_the_deviation(tiny, image, estimator):
    model = tiny(estimator)
    for baseline in model.map_gradient.baselines:
        baseline.bias.assign(tf.fill(baseline.bias.shape, 5.0))
    batch, deviations = {"unlabelled": {"image": image}}, []
    objective = tf.function(lambda seed: model.objective(batch, seed, training=True).loss)
    for i in range(60):
        objective(noise.seed(i))
        deviations.append(float(tf.reduce_max(model.map_gradient.variances[0])))
    assert max(deviations[30:]) < 10 * max(deviations[:10])


def test_running_statistics_follow_the_signal_in_training_alone(tiny, image):
    model = tiny("nvil")
    batch = {"unlabelled": {"image": image}}
    before = [v.numpy() for v in model.map_gradient.non_trainable_variables]
    model.objective(batch, noise.seed(0))
    for old, variable in zip(before, model.map_gradient.non_trainable_variables):
        np.testing.assert_array_equal(old, variable)
    model.objective(batch, noise.seed(0), training=True)
    assert all(np.any(old != v.numpy()) for old, v in zip(before, model.map_gradient.non_trainable_variables))


def test_without_maps_to_learn_the_surrogate_is_the_bound_or_its_targets(rng):
    log_pixels, kl_s, of_targets = (tf.constant(rng.normal(size=size), tf.float32) for size in ([3, 4, 6], [3], [3]))
    likelihood = MapLikelihood(tf.zeros([3, *SHAPE]), log_pixels, kl_s, 0.5, of_targets, tf.zeros([3, 2, 3, 2]), 4.0)
    bound = tf.reduce_sum(log_pixels, axis=[1, 2]) - 0.5 * kl_s + of_targets
    deterministic, frozen = (kind().surrogate((), likelihood) for kind in (maps.NoMaps, maps.FrozenMaps))
    np.testing.assert_allclose(deterministic.value, bound, rtol=1e-5)
    np.testing.assert_array_equal(frozen.value, of_targets)
    assert deterministic.loss == frozen.loss == 0.0


@pytest.mark.parametrize("num_outcomes", [4, 5])
def test_the_expected_map_pools_to_the_mean_over_outcomes(rng, num_outcomes):
    """Σ_u q(u) pool(x, u), the outcome that blanks a block included."""
    logits = tf.constant(rng.normal(size=[2, 3, 2, 3, num_outcomes]), tf.float32)
    values = tf.constant(rng.normal(size=[2, 6, 4, 3]), tf.float32)
    outcomes = [maps.observed(logits, tf.fill([2, 3, 2, 3], p), 2).up for p in range(num_outcomes)]
    each = tf.stack([unpooling.pool(values, mask, 2) for mask in outcomes], axis=-1)
    pooled = unpooling.pool(values, maps.expected(logits, 2).up, 2)
    np.testing.assert_allclose(pooled, tf.reduce_sum(each * tf.nn.softmax(logits), axis=-1), rtol=1e-5, atol=1e-6)
