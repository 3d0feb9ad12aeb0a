"""The exact posterior against quadrature."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.probability import gaussian_mixture


@pytest.mark.parametrize("noise", [0.5, 5.0])
def test_the_posterior_is_prior_times_likelihood(noise):
    x = np.array([[3.0, -2.0], [0.4, 0.1]], np.float32)
    axis = np.linspace(-12.0, 12.0, 801, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    for row in x:
        joint = gaussian_mixture.prior().log_prob(grid) + gaussian_mixture.likelihood(grid, noise).log_prob(row)
        expected = joint - tf.reduce_logsumexp(joint) - 2 * np.log(axis[1] - axis[0])
        ours = gaussian_mixture.posterior(row, noise).log_prob(grid.astype(np.float64)).numpy()
        near = expected.numpy() > expected.numpy().max() - 15
        np.testing.assert_allclose(ours[near], expected.numpy()[near], atol=5e-3)


def test_posteriors_of_several_points_are_those_of_each():
    x = np.array([[3.0, -2.0], [0.4, 0.1]])
    together = gaussian_mixture.posterior(x, 5.0).log_prob(np.zeros([2, 2]))
    for row, log_prob in zip(x, together):
        np.testing.assert_allclose(gaussian_mixture.posterior(row, 5.0).log_prob(np.zeros(2)), log_prob)


def test_draws_have_the_moments_of_the_model():
    x = gaussian_mixture.draw(200_000, 0.7, np.random.default_rng(0))
    theta, spread = gaussian_mixture.THETA, np.eye(2) + np.outer(gaussian_mixture.MEANS[0], gaussian_mixture.MEANS[0])
    np.testing.assert_allclose(np.cov(x.T), theta @ spread @ theta.T + 0.49 * np.eye(2), rtol=0.02, atol=0.2)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=0.1)


def test_with_the_noise_of_the_source_a_posterior_has_one_mode():
    """Its two components are 1.4 deviations apart, and one of them has all the weight."""
    x = gaussian_mixture.draw(100, 0.1, np.random.default_rng(1))
    weights = tf.nn.softmax(gaussian_mixture.posterior(x, 0.1).mixture_distribution.logits)
    assert (tf.reduce_max(weights, axis=-1).numpy() > 0.999).all()
