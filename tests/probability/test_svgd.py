"""SVGD against its definition in NumPy, automatic differentiation, and what it must do to particles."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import pdist

from tfvae.probability import kernels, noise, svgd

EVERY_KERNEL = pytest.mark.parametrize("kernel", kernels.KERNELS.values(), ids=kernels.KERNELS)


@pytest.fixture
def particles(rng):
    return tf.constant(rng.normal(size=[4, 7, 3]) * 2 + 5, tf.float32)


@pytest.fixture
def scores(rng):
    return tf.constant(rng.normal(size=[4, 7, 3]), tf.float32)


def by_definition(particles, scores, kernel, h, weights):
    """Σ_j w_j [k(x_j, x_i) s_j + ∇_{x_j} k(x_j, x_i)], the gradient by automatic differentiation, for one set."""
    directions = []
    for i in range(len(particles)):
        moved = tf.Variable(particles)
        with tf.GradientTape() as tape:
            k = kernel.value(tf.reduce_sum((moved - particles[i]) ** 2, axis=-1) / h)
            total = tf.reduce_sum(k * weights)
        directions.append(tf.reduce_sum((weights * k)[:, None] * scores, axis=0) + tf.reduce_sum(
            tf.convert_to_tensor(tape.gradient(total, moved)), axis=0))  # fmt: skip
    return np.stack(directions)


@EVERY_KERNEL
@pytest.mark.parametrize("rule", ["median", "median/log", 1.7])
def test_the_direction_is_that_of_its_definition(particles, scores, kernel, rule):
    ours = svgd.direction(particles, scores, kernel, rule)
    for b in range(4):
        h = rule if isinstance(rule, float) else np.median(pdist(particles[b].numpy(), "sqeuclidean"))
        h = h / np.log(8) if rule == "median/log" else h
        expected = by_definition(particles[b], scores[b], kernel, np.float32(h), tf.fill([7], 1 / 7))
        np.testing.assert_allclose(ours[b], expected, rtol=2e-3, atol=2e-4)


@EVERY_KERNEL
def test_importance_weights_are_normalised_and_weigh_the_source_of_each_push(particles, scores, kernel, rng):
    log_weights = tf.constant(rng.normal(size=[4, 7]) + 300.0, tf.float32)
    ours = svgd.direction(particles, scores, kernel, 2.0, log_weights)
    for b in range(4):
        expected = by_definition(particles[b], scores[b], kernel, 2.0, tf.nn.softmax(log_weights[b]))
        np.testing.assert_allclose(ours[b], expected, rtol=2e-3, atol=2e-4)


def test_equal_weights_are_no_weights(particles, scores):
    plain = svgd.direction(particles, scores)
    weighted = svgd.direction(particles, scores, log_weights=tf.fill([4, 7], -3.0))
    np.testing.assert_allclose(plain, weighted, rtol=1e-4, atol=1e-5)


def test_one_particle_goes_up_the_gradient(scores):
    one = scores[:, :1]
    np.testing.assert_allclose(svgd.direction(one * 3.0, one), one, rtol=1e-6)


@EVERY_KERNEL
def test_particles_that_coincide_are_no_harm(kernel):
    same = tf.ones([2, 5, 3])
    scores = tf.constant(np.arange(30).reshape(2, 5, 3), tf.float32)
    moved = svgd.direction(same, scores, kernel)
    np.testing.assert_allclose(moved, np.repeat(scores.numpy().mean(axis=1, keepdims=True), 5, axis=1), rtol=1e-5)


@pytest.mark.parametrize("num", [2, 3, 4, 5, 8, 33])
def test_the_median_is_exact(rng, num):
    distances = kernels.squared_distances(tf.constant(rng.normal(size=[6, num, 4]), tf.float32))
    upper = np.array([matrix[np.triu_indices(num, 1)] for matrix in distances.numpy()])
    expected = np.sort(upper, axis=1)[:, (upper.shape[1] - 1) // 2]
    np.testing.assert_array_equal(kernels.median_of_pairs(distances), expected)
    np.testing.assert_array_equal(tf.function(kernels.median_of_pairs, jit_compile=True)(distances), expected)


def test_distances_far_from_the_origin_keep_their_digits(rng):
    near = rng.normal(size=[1, 6, 3]).astype("float32")
    far = kernels.squared_distances(tf.constant(near + 1024.0))  # A power of two: adding it loses few digits.
    np.testing.assert_allclose(far, kernels.squared_distances(tf.constant(near)), rtol=2e-3, atol=2e-3)


@EVERY_KERNEL
def test_compiled_and_plain_directions_are_the_same_numbers(particles, scores, kernel):
    compiled = tf.function(lambda p, s: svgd.direction(p, s, kernel), jit_compile=True)(particles, scores)
    np.testing.assert_allclose(compiled, svgd.direction(particles, scores, kernel), rtol=1e-4, atol=1e-5)


def test_particles_settle_on_the_mean_and_the_covariance_of_a_gaussian(rng):
    mean, covariance = np.array([1.0, -2.0]), np.array([[1.0, 0.6], [0.6, 2.0]])
    precision = tf.constant(np.linalg.inv(covariance), tf.float32)
    start = tf.constant(rng.normal(size=[1, 100, 2]), tf.float32)

    @tf.function
    def settled(particles):
        for _ in tf.range(1500):
            score = -tf.linalg.matmul(particles - tf.constant(mean, tf.float32), precision)
            particles += 0.2 * svgd.direction(particles, score, bandwidth="median/log")
        return particles

    found = settled(start)[0].numpy()
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.25)


def test_trajectories_are_those_of_blackjax(rng):
    blackjax = pytest.importorskip("blackjax", reason="an independent implementation, installed by hand")
    import jax.numpy as jnp
    import optax

    start = rng.normal(size=[20, 3]).astype("float32")
    algorithm = blackjax.svgd(lambda x: -x + 1.0, optax.sgd(0.3))
    state, ours = algorithm.init(jnp.asarray(start)), tf.constant(start[None])
    for _ in range(30):
        distances = kernels.squared_distances(ours)
        h = float(kernels.bandwidth(distances, "median/log")[0, 0, 0])
        state = state._replace(kernel_parameters={"length_scale": h})
        state = algorithm.step(state)
        ours += 0.3 * svgd.direction(ours, 1.0 - ours, bandwidth=h)
    np.testing.assert_allclose(ours[0], state.particles, rtol=1e-3, atol=1e-3)


@EVERY_KERNEL
def test_the_discrepancy_is_that_of_automatic_differentiation(rng, kernel):
    x, s = (rng.normal(size=[5, 3]).astype("float32") for _ in range(2))

    def k(a, b):
        return kernel.value(tf.reduce_sum((a - b) ** 2) / 2.0)

    total = 0.0
    for i in range(5):
        for j in range(5):
            if i == j:
                continue
            a, b = tf.Variable(x[i]), tf.Variable(x[j])
            with tf.GradientTape(persistent=True) as outer:
                with tf.GradientTape(persistent=True) as inner:
                    value = k(a, b)
                in_a, in_b = inner.gradient(value, a), inner.gradient(value, b)
            trace = np.trace(outer.jacobian(in_a, b).numpy())
            total += s[i] @ s[j] * value + s[i] @ in_b.numpy() + s[j] @ in_a.numpy() + trace
    ours = svgd.kernelised_stein_discrepancy(tf.constant(x[None]), tf.constant(s[None]), kernel, 2.0)
    assert float(ours[0]) == pytest.approx(float(total) / 20, rel=1e-3)


def test_the_discrepancy_tells_draws_of_the_density_from_others(rng):
    x = tf.constant(rng.normal(size=[1, 400, 2]), tf.float32)
    right, wrong = (float(svgd.kernelised_stein_discrepancy(x, -(x - m))[0]) for m in (0.0, 1.0))
    assert abs(right) < 0.02 and wrong > 0.3


@pytest.mark.parametrize("rule", ["mean", 0.0, -1.0, True])
def test_a_bandwidth_that_is_none_is_refused(rule):
    with pytest.raises(ValueError, match="bandwidth"):
        kernels.bandwidth(tf.zeros([3, 3]), rule)


@pytest.mark.parametrize(("num", "dim", "low", "high"), [(10, 40, 0.10, 0.20), (40, 20, 0.7, 0.9)])
def test_few_particles_of_many_dimensions_are_too_close_together(rng, num, dim, low, high):
    """0.58 M / Z of the variance of a Gaussian, and about 0.8 from M = 2 Z on: why M has to grow with Z."""
    move = tf.function(lambda z: z + svgd.direction(z, -z), jit_compile=True)
    z = tf.constant(rng.normal(size=[1, num, dim]), tf.float32)
    for _ in range(1500):
        z = move(z)
    assert low < tf.reduce_mean(tf.math.reduce_variance(z, axis=1)) < high


def kept_variances(variances, num_particles, own, antithetic=False, sets=100, rounds=1):
    """What an encoder z = a ξ keeps of the variances of a Gaussian when it follows φ on particles drawn anew.

    It rests where E[φ ξ] = 0: a root for each group of equal variances, by bisection on the same draws, in turns.
    """
    v, groups = np.asarray(variances, np.float32), [np.flatnonzero(variances == one) for one in np.unique(variances)]
    xi = noise.normal([sets, num_particles, len(v)], noise.seed(0))
    if antithetic:
        xi = tf.concat([xi[:, : num_particles // 2], -xi[:, : num_particles // 2]], axis=1)

    @tf.function
    def drift(kept):
        z = tf.sqrt(v * kept) * xi
        return tf.reduce_mean(svgd.direction(z, -z / v, own=own) * xi, axis=[0, 1])

    kept = np.ones(len(v), np.float32)
    for _ in range(rounds):
        for group in groups:
            low, high = 0.0, 2.0
            for _ in range(9):
                kept[group] = (low + high) / 2.0
                grows = drift(tf.constant(kept)).numpy()[group].mean() > 0
                low, high = (kept[group[0]], high) if grows else (low, kept[group[0]])
    return kept


@pytest.mark.parametrize(("dim", "num"), [(10, 20), (10, 100), (50, 20), (50, 100)])
def test_an_encoder_keeps_the_variance_only_without_the_own_score(dim, num):
    """As printed, eq. (4.12) shrinks what an encoder with fresh draws keeps to 1 / (1 + e Z / M)."""
    printed = kept_variances(np.ones(dim), num, "in").mean()
    assert printed == pytest.approx(1.0 / (1.0 + np.e * dim / num), rel=0.12)
    assert kept_variances(np.ones(dim), num, "out").mean() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("own", "antithetic"), [("out", False), ("pair_out", True)])
def test_narrow_units_beside_wide_ones_keep_their_spread(own, antithetic):
    variances = np.repeat([0.05, 1.0], 10)
    printed = kept_variances(variances, 100, "in", rounds=6)
    assert printed[0] < 0.05 < 0.5 < printed[-1]  # Narrow units are points.
    kept = kept_variances(variances, 100, own, antithetic, rounds=6)
    assert kept[0] == pytest.approx(1.0, abs=0.25) and kept[-1] == pytest.approx(1.0, abs=0.1)


def test_a_direction_without_the_own_term_is_the_mean_over_the_others(rng):
    x, scores = (rng.normal(size=[6, 2]).astype("float32") for _ in range(2))
    log_w = rng.normal(size=6).astype("float32")
    for weights in (None, log_w):
        for own, missing in (("out", lambda i: {i}), ("pair_out", lambda i: {i, (i + 3) % 6})):
            whole = svgd.direction(x, scores, bandwidth=1.5, log_weights=weights, own=own)
            for i in range(6):
                w = np.array(
                    [0.0 if j in missing(i) else np.exp(0.0 if weights is None else weights[j]) for j in range(6)]
                )
                k = np.exp(-np.sum((x - x[i]) ** 2, axis=1) / 1.5)
                terms = k[:, None] * scores + 2.0 / 1.5 * k[:, None] * (x[i] - x)
                np.testing.assert_allclose(whole[i], (w / w.sum()) @ terms, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("num", "own", "told"),
    [(1, "out", "2 particles"), (5, "pair_out", "even"), (2, "pair_out", "4"), (4, "x", "one of")],
)
def test_too_few_particles_for_an_own_term_left_out_are_refused(num, own, told):
    with pytest.raises(ValueError, match=told):
        svgd.direction(np.zeros([num, 2], "float32"), np.zeros([num, 2], "float32"), own=own)
