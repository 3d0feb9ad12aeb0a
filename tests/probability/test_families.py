import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.probability import families, noise

tfd = tfp.distributions
LEVELS = np.arange(256, dtype=np.float32) / 255.0


@pytest.mark.parametrize(("loc", "scale"), [(0.5, 0.1), (0.0, 0.02), (1.2, 0.5), (0.3, 1e-4)])
def test_discretised_logistic_sums_to_one_over_the_gray_levels(loc, scale):
    p_x = families.DiscretisedLogistic(tf.constant(loc), tf.constant(scale))
    np.testing.assert_allclose(tf.reduce_sum(p_x.prob(LEVELS)), 1.0, rtol=1e-4)


def test_discretised_logistic_is_tfps_quantised_logistic():
    loc, scale = 0.4, 0.07
    ours = families.DiscretisedLogistic(tf.constant(loc), tf.constant(scale)).log_prob(LEVELS)
    levels = tfd.Logistic(255.0 * loc - 0.5, 255.0 * scale)  # QuantizedDistribution rounds up.
    reference = tfd.QuantizedDistribution(levels, low=0.0, high=255.0)
    np.testing.assert_allclose(ours, reference.log_prob(255.0 * LEVELS), rtol=1e-3, atol=1e-3)


def test_discretised_logistic_has_finite_gradients_far_from_the_data():
    loc = tf.Variable([0.0, 1.0])
    with tf.GradientTape() as tape:
        log_p = families.DiscretisedLogistic(loc, tf.constant([1e-4, 1e-4])).log_prob([1.0, 0.5])
    assert np.isfinite(log_p).all()
    assert np.isfinite(tape.gradient(log_p, loc)).all()


def test_discretised_logistic_draws_gray_levels_with_its_probabilities():
    p_x = tfd.Independent(families.DiscretisedLogistic(tf.constant([0.02]), tf.constant([0.01])), 1)
    draws = families.DiscretisedLogistic(tf.constant([0.02]), tf.constant([0.01]))._sample_n(20_000, noise.seed(0))
    share_of_zero = float(np.mean(draws.numpy() == 0.0))
    assert share_of_zero == pytest.approx(float(p_x.prob([0.0])), abs=0.02)


def test_gaussian_is_parameterised_by_its_log_variance():
    q = families.GAUSSIAN.distribution(tf.constant([[1.0, -1.0, np.log(4.0), np.log(0.25)]]))
    np.testing.assert_allclose(q.mean(), [[1.0, -1.0]])
    np.testing.assert_allclose(q.stddev(), [[2.0, 0.5]], rtol=1e-6)
    reference = tfd.MultivariateNormalDiag([1.0, -1.0], [2.0, 0.5])
    np.testing.assert_allclose(q.log_prob([[0.3, 0.2]]), [reference.log_prob([0.3, 0.2])], rtol=1e-5)


def test_gaussian_draws_are_reparameterised_and_have_their_moments():
    params = tf.Variable([[1.0, np.log(4.0)]])
    with tf.GradientTape() as tape:
        z = families.GAUSSIAN.distribution(params).sample(20_000, seed=noise.seed(0))
        mean = tf.reduce_mean(z)
    assert z.shape == (20_000, 1, 1)
    np.testing.assert_allclose([mean, tf.math.reduce_std(z)], [1.0, 2.0], atol=0.05)
    np.testing.assert_allclose(tape.gradient(mean, params)[0, 0], 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", families.LIKELIHOODS)
def test_likelihood_has_batch_and_event_shape(name):
    family = families.LIKELIHOODS[name]
    p_x = family.distribution(tf.zeros([5, 3, family.num_params(7)]))
    assert p_x.batch_shape == (5, 3)
    assert p_x.event_shape == (7,)
    assert p_x.log_prob(tf.zeros([7])).shape == (5, 3)
    assert p_x.mean().shape == (5, 3, 7)


def test_bernoulli_is_tfps_bernoulli(rng):
    logits = tf.constant(rng.normal(scale=8.0, size=[5, 3, 7]).astype("float32"))
    x = (rng.random([3, 7]) > 0.5).astype("float32")
    ours = families.BERNOULLI.distribution(logits)
    reference = tfd.Independent(tfd.Bernoulli(logits=logits), 1)
    np.testing.assert_allclose(ours.log_prob(x), reference.log_prob(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.mean(), reference.mean())
