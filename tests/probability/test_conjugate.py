"""Draws of full conditionals against SciPy's distributions, by the test of Kolmogorov and Smirnov."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae.probability import conjugate, noise

NUM = 20_000


def assert_drawn_from(draws, distribution):
    assert np.isfinite(draws).all()
    assert scipy.stats.kstest(np.asarray(draws, np.float64), distribution.cdf).pvalue > 1e-3


def compiled(function, *args):
    return tf.function(function, jit_compile=True)(*args).numpy()


@pytest.mark.parametrize("alpha", [0.11, 1.0, 7.5, 3e4])
def test_log_gamma(alpha):
    drawn = compiled(conjugate.log_gamma, tf.fill([NUM], tf.constant(alpha, tf.float64)), noise.seed(1))
    assert_drawn_from(np.exp(drawn), scipy.stats.gamma(alpha))


def test_small_parameters_do_not_underflow():
    """Float32 draws of Gamma(1/100) are 0 in 40 of 100 cases; their logarithms are finite here."""
    drawn = compiled(conjugate.log_gamma, tf.fill([NUM], 0.01), noise.seed(2)).astype(np.float64)
    assert (drawn < -104).mean() > 0.3  # Whose float32 is 0.
    assert_drawn_from(np.exp(np.maximum(drawn, -700.0)), scipy.stats.gamma(0.01))


def test_a_dirichlet_has_beta_margins():
    alpha = tf.tile(tf.constant([[0.25, 3.25, 1.25]]), [NUM, 1])
    drawn = np.exp(compiled(conjugate.log_dirichlet, alpha, noise.seed(3)))
    assert_drawn_from(drawn[:, 1], scipy.stats.beta(3.25, 1.5))


def test_with_one_row_of_noise_rows_do_not_depend_on_their_batch():
    alpha = tf.constant([[0.3, 4.0], [9.0, 0.1], [2.0, 2.0]])
    together = conjugate.log_dirichlet(alpha, noise.seed(4), rows=1)
    alone = conjugate.log_dirichlet(alpha[1:2], noise.seed(4), rows=1)
    np.testing.assert_array_equal(together[1:2], alone)


@pytest.mark.parametrize(("size", "rate"), [(0.5, 1.0), (3.0, 0.2), (40.0, 10.0), (1e-3, 1.0)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_augmented_is_a_gig_of_order_one_half(size, rate, dtype):
    drawn = compiled(conjugate.augmented, tf.fill([NUM], tf.constant(size, dtype)), rate, noise.seed(5))
    assert_drawn_from(1.0 / drawn.astype(np.float64), scipy.stats.invgauss(mu=1.0 / (size * rate), scale=rate))


def test_on_the_margin_augmented_is_a_gamma():
    drawn = compiled(conjugate.augmented, tf.zeros([NUM]), 2.0, noise.seed(6))
    assert_drawn_from(drawn, scipy.stats.gamma(0.5, scale=1.0))


@pytest.mark.parametrize(
    ("order", "a", "b"),
    [(0.5, 1.0, 2.0), (30.0, 5.0, 80.0), (-30.0, 70.0, 3.0), (400.0, 900.0, 60.0), (0.01, 0.1, 0.1)],
)
def test_generalised_inverse_gaussian(order, a, b):
    full = [tf.fill([NUM], tf.constant(value, tf.float64)) for value in (order, a, b)]
    drawn = compiled(conjugate.generalised_inverse_gaussian, *full, noise.seed(7))
    assert_drawn_from(drawn, scipy.stats.geninvgauss(order, np.sqrt(a * b), scale=np.sqrt(b / a)))


@pytest.mark.parametrize("most", [0.05, 0.8, 1.0, 1.3, 5.0])
def test_truncated_gamma(most):
    shape, rate = 40.0, 40.0
    draw = tf.function(
        lambda: tf.map_fn(
            lambda i: conjugate.truncated_gamma(
                *(tf.constant(value, tf.float64) for value in (shape, rate, most)), noise.seed(8, i)
            ),
            tf.range(4000), fn_output_signature=tf.float64,
        )
    )  # fmt: skip
    drawn, whole = draw().numpy(), scipy.stats.gamma(shape, scale=1.0 / rate)
    assert (drawn <= most).all()
    assert scipy.stats.kstest(drawn, lambda x: whole.cdf(x) / whole.cdf(most)).pvalue > 1e-3


def test_a_gaussian_by_its_precision_has_its_moments():
    rng = np.random.default_rng(0)
    root = rng.normal(size=[3, 3])
    precision, shift = root @ root.T + np.eye(3), rng.normal(size=3)
    normal = tf.constant(rng.normal(size=[NUM, 3]))
    drawn = conjugate.gaussian(
        tf.tile(tf.constant(precision)[None], [NUM, 1, 1]), tf.tile(tf.constant(shift)[None], [NUM, 1]), normal
    ).numpy()
    covariance = np.linalg.inv(precision)
    np.testing.assert_allclose(drawn.mean(axis=0), covariance @ shift, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.03)


def test_a_gaussian_and_its_mean_are_of_one_factor(rng):
    root = rng.normal(size=[3, 4, 4])
    precision = tf.constant(root @ root.transpose(0, 2, 1) + np.eye(4), tf.float32)
    shift, normal = (tf.constant(rng.normal(size=[3, 4]), tf.float32) for _ in range(2))
    drawn, mean = conjugate.gaussian_and_mean(precision, shift, normal)
    np.testing.assert_allclose(drawn, conjugate.gaussian(precision, shift, normal), rtol=1e-4, atol=1e-5)
    expected = np.linalg.solve(precision.numpy(), shift.numpy()[..., None])[..., 0]
    np.testing.assert_allclose(mean, expected, rtol=1e-3, atol=1e-4)
