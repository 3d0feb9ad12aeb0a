"""The mixture against sums, quadrature and scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from sklearn.cluster import KMeans

from tfvae.probability import families, noise
from tfvae.probability import stick_breaking as sticks

J, Z = 3, 2


@pytest.fixture
def mixture(rng):
    """log ν, μ, log α as tensors."""
    logits = tf.constant(rng.normal(size=[J - 1]), tf.float32)
    means, log_precisions = (tf.constant(rng.normal(size=shape), tf.float32) for shape in ([J, Z], [J]))
    return sticks.log_weights(logits), means, log_precisions


@pytest.fixture
def q_s(rng):
    mean, log_variance = (tf.constant(rng.normal(size=[4, Z]), tf.float32) for _ in range(2))
    return families.DiagGaussian(mean, log_variance - 1.0)


def test_weights_are_what_is_left_of_a_stick():
    v = np.array([0.5, 0.2, 0.9])
    found = np.exp(sticks.log_weights(tf.constant(special.logit(v), tf.float32)))
    np.testing.assert_allclose(found, [0.5, 0.5 * 0.2, 0.5 * 0.8 * 0.9, 0.5 * 0.8 * 0.1], rtol=1e-5)


def test_the_prior_of_sticks_is_beta_with_its_jacobian():
    logits, a = np.array([-1.0, 0.3, 2.0]), 2.5
    v = special.expit(logits)
    expected = np.sum(stats.beta(1.0, a).logpdf(v) + np.log(v * (1.0 - v)))
    assert float(sticks.log_prior_of_sticks(tf.constant(logits, tf.float32), a)) == pytest.approx(expected, rel=1e-5)


def test_log_prob_is_that_of_the_mixture(mixture, rng):
    log_nu, means, log_precisions = (np.asarray(of, np.float64) for of in mixture)
    s = rng.normal(size=[5, Z])
    density = sum(
        np.exp(log_nu[j]) * stats.norm(means[j], np.exp(-0.5 * log_precisions[j])).pdf(s).prod(axis=1) for j in range(J)
    )
    np.testing.assert_allclose(sticks.log_prob(tf.constant(s, tf.float32), *mixture), np.log(density), rtol=1e-4)


def test_the_expectation_is_the_mean_over_draws(mixture, q_s):
    s = q_s.sample(200_000, seed=noise.seed(0))
    _, means, log_precisions = mixture
    found = sticks.expected_log_prob(q_s.mean(), q_s.variance(), means, log_precisions)
    for j in range(J):
        each = families.DiagGaussian(means[j], tf.fill([Z], -log_precisions[j])).log_prob(s)
        np.testing.assert_allclose(found[:, j], tf.reduce_mean(each, axis=0), atol=0.03)


def test_the_divergence_is_a_bound_at_its_best_responsibilities(mixture, q_s, rng):
    """Above the KL by quadrature, and below E_q log q(s) q(c) / p(s, c) of every other q(c)."""
    bound = sticks.divergence(q_s, *mixture)
    grid = np.linspace(-8.0, 8.0, 801)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 1, Z)
    log_q, log_p = q_s.log_prob(tf.constant(points, tf.float32)), sticks.log_prob(points[:, 0].astype("f"), *mixture)
    exact = np.sum(np.exp(log_q) * (log_q - log_p[:, None]), axis=0) * (grid[1] - grid[0]) ** 2
    assert np.all(exact < bound + 1e-4) and np.all(exact > 0.0)
    joint = mixture[0] + sticks.expected_log_prob(q_s.mean(), q_s.variance(), *mixture[1:])
    for q_c in (*rng.dirichlet(np.ones(J), 20), *np.eye(J)):
        other = -q_s.entropy() + np.sum(special.xlogy(q_c, q_c)) - tf.linalg.matvec(joint, q_c.astype("f"))
        assert np.all(bound <= other + 1e-4)
    best = np.asarray(sticks.responsibilities(q_s.mean(), q_s.variance(), *mixture))
    at_best = -q_s.entropy() + tf.reduce_sum(best * (np.log(best) - joint), axis=-1)
    np.testing.assert_allclose(at_best, bound, rtol=1e-4, atol=1e-4)


def test_clusters_that_are_alike_are_one_gaussian(q_s):
    """With all at N(0, I) the bound is the KL from it, whatever the weights."""
    log_nu = sticks.log_weights(tf.constant([0.3, -1.0]))
    found = sticks.divergence(q_s, log_nu, tf.zeros([J, Z]), tf.zeros([J]))
    expected = 0.5 * tf.reduce_sum(q_s.variance() + q_s.mean() ** 2 - 1.0 - tf.math.log(q_s.variance()), axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_responsibilities_at_a_point_are_bayes_rule(mixture, rng):
    log_nu, means, log_precisions = (np.asarray(of, np.float64) for of in mixture)
    s = rng.normal(size=[5, Z])
    joint = np.stack([
        np.exp(log_nu[j]) * stats.norm(means[j], np.exp(-0.5 * log_precisions[j])).pdf(s).prod(axis=1) for j in range(J)
    ], axis=1)  # fmt: skip
    found = sticks.responsibilities(tf.constant(s, tf.float32), tf.zeros([1, Z]), *mixture)
    np.testing.assert_allclose(found, joint / joint.sum(axis=1, keepdims=True), rtol=1e-4)


def test_k_means_is_as_good_as_scikit_learns(rng):
    centres = 6.0 * rng.normal(size=[5, 4])
    points = (centres[rng.integers(0, 5, 400)] + rng.normal(size=[400, 4])).astype(np.float32)
    ours = min(
        float(tf.reduce_sum(tf.reduce_min(sticks.squared_distances(points, found), axis=-1)))
        for found in (sticks.k_means(points, 5, noise.seed(i)) for i in range(5))
    )
    assert ours == pytest.approx(KMeans(5, n_init=10, random_state=0).fit(points).inertia_, rel=1e-3)


def test_k_means_repeats_for_a_seed_and_survives_points_that_are_alike():
    points = tf.ones([10, 3])
    np.testing.assert_allclose(sticks.k_means(points, 4, noise.seed(0)), np.ones([4, 3]), rtol=1e-6)
    points = tf.random.stateless_normal([50, 3], [1, 2])
    first, again, other = (sticks.k_means(points, 4, noise.seed(i)) for i in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
