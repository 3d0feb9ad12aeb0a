"""p-values of "this image is of the same kind as those held out"."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from tfvae.evaluation import novelty
from tfvae.evaluation.measurement import Settings

LAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: -rng.gamma(0.5, 100.0, size=size),
    "heavy": lambda rng, size: rng.standard_t(1.5, size=size) - 300.0,
    "two humps": lambda rng, size: rng.choice([-500.0, -20.0], size=size) + rng.normal(size=size),
}


def p_of(rng, law, n, num):
    """p of images of the same law, each among rows of its own: the theorem is about both."""
    drawn = LAWS[law](rng, [num, n + 1]).astype(np.float32)
    return np.array([novelty.p_values(row[:1], np.sort(row[1:]).tolist())[0] for row in drawn])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_p_is_uniform_for_images_of_the_same_law(rng, law, n):
    p = p_of(rng, law, n, 1500)
    assert p.min() >= 1 / (n + 1) - 1e-6 and p.max() <= 1.0
    for level in np.unique([1 / (n + 1), 0.1, 0.25, 0.5]):
        hits = int((p <= level + 1e-6).sum())
        assert stats.binomtest(hits, len(p), level, alternative="greater").pvalue > 1e-4, "too often small"
    if n > 2:  # Not conservative either: without ties every rank is as probable.
        uniform = np.ceil(p * (n + 1)) - rng.random(len(p))
        assert stats.kstest(uniform / (n + 1), "uniform").pvalue > 1e-4


def test_both_sides_are_strange_and_the_smallest_p_is_known():
    held_out = np.linspace(-110.0, -90.0, 99).tolist()
    p = novelty.p_values(np.array([-1000.0, 50.0, np.nan, -np.inf, np.inf, -100.0], np.float32), held_out).numpy()
    np.testing.assert_allclose(p[:5], 0.01, rtol=1e-5)
    assert p[5] > 0.9


def test_scores_that_are_not_finite_are_the_strangest_and_equal():
    held_out = [novelty.LOWEST, novelty.LOWEST, -3.0, -2.0, -1.0, 0.0, 1.0]
    p = novelty.p_values(np.array([np.nan, -2.0], np.float32), held_out).numpy()
    np.testing.assert_allclose(p, [3 / 8, 1.0])


def test_a_held_out_image_asked_again_is_its_own_equal_whatever_its_rounding(rng):
    held_out = np.sort(rng.normal(-3000.0, 50.0, 200)).astype(np.float32)
    some = held_out[::7]
    exact, rounded = (novelty.p_values(some * (1.0 + e), held_out.tolist()).numpy() for e in (0.0, 1e-6))
    np.testing.assert_array_equal(exact, rounded)


def test_every_row_is_scored_by_itself(small_sdgm, digits):
    image = digits.observe(digits.test.take(np.arange(6)))
    together, alone = novelty.scores(small_sdgm, image), novelty.scores(small_sdgm, image[3:4])
    np.testing.assert_allclose(together[3], alone[0], rtol=1e-5)
    assert novelty.scores(small_sdgm, image[:0]).shape == (0,)


def test_test_images_are_counted_and_validation_images_never_ask_themselves(small_vae, digits):
    rows = digits.test.take(np.arange(80))
    assert novelty.applies(small_vae, digits, rows) and not novelty.applies(small_vae, digits, digits.validation)
    metrics = novelty.measure(small_vae, digits, rows, Settings(rows_limit=50))
    assert metrics["novelty_rows"] == 50 and metrics["held_out_rows"] == len(digits.validation)
    assert 0.0 <= metrics["novel_rows"] < 0.3
    assert "about 5 % should" in novelty.headlines(metrics, digits)[0].meaning
    none = dataclasses.replace(digits, validation=digits.validation.take(np.arange(0)))
    assert not novelty.applies(small_vae, none, rows)
