"""Retrieval through a shared code."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate
from scipy.stats import norm

from tfvae.evaluation import retrieval


def test_agreement_is_the_integral(rng):
    """log ∫ q(s|x) q(s|Y) / p(s) ds by quadrature, dimension by dimension."""
    mean_x, mean_y = rng.normal(size=[2, 3]), rng.normal(size=[4, 3])
    variance_x, variance_y = rng.uniform(0.1, 0.9, [2, 3]), rng.uniform(0.1, 0.9, [4, 3])

    def integral(m, v, n, w):
        ratio = lambda s: norm.pdf(s, m, v**0.5) * norm.pdf(s, n, w**0.5) / norm.pdf(s)  # noqa: E731
        return np.log(integrate.quad(ratio, -10, 10, points=[m, n])[0])

    expected = [
        [sum(integral(*q) for q in zip(mean_x[i], variance_x[i], mean_y[j], variance_y[j])) for j in range(4)]
        for i in range(2)
    ]
    arguments = (tf.constant(a, tf.float32) for a in (mean_x, variance_x, mean_y, variance_y))
    np.testing.assert_allclose(retrieval.agreement(*arguments), expected, rtol=1e-4, atol=1e-4)


def test_a_code_that_says_nothing_agrees_with_everything_alike():
    prior = tf.zeros([1, 5]), tf.ones([1, 5])
    score = retrieval.agreement(tf.random.stateless_normal([3, 5], [0, 1]), tf.fill([3, 5], 0.3), *prior)
    np.testing.assert_allclose(score, 0.0, atol=1e-5)


def test_recalls_by_hand():
    score = np.array([[9.0, 1.0, 2.0, 8.0], [5.0, 3.0, 4.0, 1.0]])
    found = retrieval.recalls(score, [0, 0, 1, 1])
    assert found["image_to_caption_r1"] == 0.5  # Image 0 finds caption 0; image 1 finds 0 before its own 2.
    assert found["image_to_caption_rank"] == 1.5
    assert found["caption_to_image_r1"] == pytest.approx(2 / 4)  # Captions 0 and 2 find theirs.
    assert found["caption_to_image_r5"] == 1.0


def test_ties_count_against_us():
    found = retrieval.recalls(np.zeros([20, 20]), np.arange(20))
    assert found["image_to_caption_r1"] == found["caption_to_image_r10"] == 0.0
