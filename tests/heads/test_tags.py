"""The focused topic model against sums in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tfvae.heads import tags
from tfvae.heads.tags import Tags
from tfvae.probability import families

SHAPE, NAMES = (2, 1, 3), ("dog", "grass", "ball", "man")
PACE = tags._PACE


@pytest.fixture(params=tags.USAGES)
def head(request, rng):
    made = Tags(SHAPE, NAMES, tags.Config(request.param, 0.3, (2.0, 0.7)), name="tag_words")
    for variable in made.weights:
        variable.assign(rng.normal(size=variable.shape) / PACE)
    return made


def values(head):
    """Φ [L, K], g [K], bias and slope, as NumPy float64."""
    topics, strength, bias, slope = (
        PACE * np.asarray(v, np.float64)
        for v in (head.topic_logits, head.log_strength, head.usage_bias, head.usage_slope)
    )
    return special.softmax(topics, axis=0), np.exp(strength), bias, slope


def usage_by_hand(head, code):
    """z_k of one code [Z], a position of a map after the other."""
    _, _, bias, slope = values(head)
    maps = code.reshape(SHAPE)
    if head.config.usage == "energy":
        logits = np.log1p(np.exp(slope)) * np.mean(maps**2, axis=(0, 1)) + bias
    else:
        logits = np.einsum("ik,ik->k", maps.reshape(2, 3), slope) + bias
    return special.expit(logits)


def test_log_prob_is_that_of_eqs_3_30_to_3_32(head, rng):
    codes, said = rng.normal(size=[5, 6]), rng.integers(0, 2, [5, 4])
    topics, strength, *_ = values(head)
    expected = []
    for code, of in zip(codes, said):
        rates = topics @ (strength * usage_by_hand(head, code))
        # A tag is there where a Poisson count is above 0.
        there = 1.0 - stats.poisson(rates).pmf(0)
        expected.append(np.sum(np.log(np.where(of, there, 1.0 - there))))
    found = head.log_prob(tf.constant(codes, tf.float32), tf.constant(said, tf.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_gradient_is_the_slope_of_log_prob(head, rng):
    said = tf.constant(rng.integers(0, 2, [1, 4]), tf.float32)
    code = rng.normal(size=[1, 6])
    z = tf.constant(code, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = head.log_prob(z, said)
    step = 1e-2 * np.eye(6)
    by_steps = [
        (float(head.log_prob(tf.constant(code + d, tf.float32), said)[0]) -
         float(head.log_prob(tf.constant(code - d, tf.float32), said)[0])) / 2e-2
        for d in step[:, None]
    ]  # fmt: skip
    np.testing.assert_allclose(tape.gradient(value, z)[0], by_steps, rtol=2e-2, atol=2e-3)


def test_a_tag_that_is_hardly_ever_there_has_an_exact_log_probability(head):
    """1 − exp(−λ) is 0 in float32 for λ = 1e-12; its logarithm is that of λ."""
    head.log_strength.assign(np.full(3, np.log(1e-12) / PACE))
    code = np.zeros([1, 6], np.float32)
    topics, _, *_ = values(head)
    rates = topics @ (1e-12 * usage_by_hand(head, code[0]))
    with tf.GradientTape() as tape:
        found = head.log_prob(tf.constant(code), tf.ones([1, 4]))
    np.testing.assert_allclose(found, np.log(rates).sum(), rtol=1e-5)
    # d log λ / d log g summed over elements is 1 for every tag.
    np.testing.assert_allclose(np.sum(tape.gradient(found, head.log_strength)) / PACE, len(NAMES), rtol=1e-4)


def test_a_rate_of_nothing_stays_finite(head):
    head.log_strength.assign(np.full(3, -1000.0))
    assert np.isfinite(head.log_prob(tf.zeros([1, 6]), tf.ones([1, 4]))).all()


def test_columns_of_topics_are_probabilities_of_words(head):
    np.testing.assert_allclose(tf.reduce_sum(head.topics(), axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(head.topics(), values(head)[0].T, rtol=1e-4)


def test_the_prior_is_dirichlet_and_gamma_with_their_jacobians(head):
    """Differences of log densities of two settings: the constants cancel."""

    def log_density():
        topics, strength, *_ = values(head)
        dirichlet = sum(stats.dirichlet([0.3] * 4).logpdf(column) for column in topics.T) + np.log(topics).sum()
        return dirichlet + np.sum(stats.gamma(2.0, scale=1 / 0.7).logpdf(strength) + np.log(strength))

    first, prior = log_density(), float(head.log_prior())
    head.topic_logits.assign(np.asarray(head.topic_logits) ** 2)
    head.log_strength.assign(np.asarray(head.log_strength) + 0.05)
    assert float(head.log_prior()) - prior == pytest.approx(log_density() - first, rel=1e-4)


def test_usage_is_the_posterior_of_an_indicator_whose_spike_is_a_narrow_gaussian():
    """p(z = 1 | S) of π N(S; 0, I) against (1 − π) N(S; 0, ε² I), for one energy after another."""
    share, narrow, num = 0.3, 0.2, 2
    head = Tags((num, 1, 1), NAMES, tags.Config(), name="tag_words")
    slope = num * 0.5 * (1 / narrow**2 - 1.0)
    head.usage_slope.assign([np.log(np.expm1(slope)) / PACE])
    head.usage_bias.assign([(special.logit(share) + num * np.log(narrow)) / PACE])
    maps = np.linspace(0.0, 1.0, 7)[:, None] * np.ones(num)
    slab = share * stats.norm(0.0, 1.0).pdf(maps).prod(axis=1)
    spike = (1.0 - share) * stats.norm(0.0, narrow).pdf(maps).prod(axis=1)
    np.testing.assert_allclose(head.usage(tf.constant(maps, tf.float32))[:, 0], slab / (slab + spike), rtol=1e-4)


def test_the_energy_of_a_code_is_expected_and_not_that_of_the_mean_code(rng):
    class Model:
        def encode(self, image):
            return families.DiagGaussian(tf.zeros([2, 6]), tf.math.log([[4.0] * 6, [0.01] * 6]))

    head = Tags(SHAPE, NAMES, tags.Config(), name="tag_words")
    wide, narrow = np.asarray(head.tag(Model(), tf.zeros([2, 1]))).sum(axis=1)
    assert wide > 1.2 * narrow


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"usage": "sign"}, "usage"),
        ({"concentration": 0.0}, "concentration"),
        ({"strength_prior": (1.0, -1.0)}, "got .1.0, -1.0."),
    ],
)
def test_what_makes_no_model_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Tags(SHAPE, NAMES, tags.Config(**fields))
