import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.probability import noise


@pytest.mark.parametrize("draw", [noise.normal, noise.uniform])
@pytest.mark.parametrize("shape", [[3], [7], [2, 5, 3]])
def test_graph_mode_and_xla_draw_the_same_numbers(draw, shape):
    seed = noise.seed(1, 2)
    plain = tf.function(lambda: draw(shape, seed))()
    compiled = tf.function(lambda: draw(shape, seed), jit_compile=True)()
    np.testing.assert_allclose(plain, compiled, rtol=1e-5, atol=1e-6)


def test_normal_draws_are_normal_and_independent():
    x = noise.normal([2, 50_000], noise.seed(0)).numpy()
    assert stats.kstest(x.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(x)[0, 1]) < 0.02
    # The two of a pair of Box and Muller share a radius; their squares must not be correlated either.
    assert abs(np.corrcoef(x.ravel()[:50_000] ** 2, x.ravel()[50_000:] ** 2)[0, 1]) < 0.02


def test_uniform_draws_are_uniform_and_below_one():
    u = noise.uniform([100_000], noise.seed(0)).numpy()
    assert stats.kstest(u, "uniform").pvalue > 0.01
    assert u.min() >= 0.0
    assert u.max() < 1.0


def test_every_part_of_a_seed_counts():
    seeds = [noise.seed(*parts).numpy().tolist() for parts in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0)]]
    assert len({tuple(seed) for seed in seeds}) == len(seeds)
    first, second = noise.split(noise.seed(0), 2)
    assert abs(np.corrcoef(noise.normal([10_000], first), noise.normal([10_000], second))[0, 1]) < 0.05
