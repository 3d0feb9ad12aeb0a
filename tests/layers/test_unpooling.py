"""Pooling and unpooling are two readings of one map."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers import unpooling
from tfvae.probability import noise


@pytest.fixture(params=[2, 3])
def block(request):
    return request.param


@pytest.fixture
def position(block, rng):
    return tf.constant(rng.integers(0, block**2, [4, 3, 2, 5]), tf.int32)


def test_a_mask_counts_one_cell_of_every_block(position, block):
    mask = unpooling.mask_of(position, block)
    assert mask.shape == (4, 3 * block, 2 * block, 5)
    np.testing.assert_array_equal(block**2 * tf.nn.avg_pool2d(mask, block, block, "VALID"), tf.ones([4, 3, 2, 5]))


def test_a_position_is_the_cell_in_reading_order(block):
    for cell in range(block**2):
        mask = unpooling.mask_of(tf.fill([1, 1, 1, 1], cell), block)[0, :, :, 0].numpy()
        assert mask[cell // block, cell % block] == 1


def test_unpooling_keeps_every_value_in_exactly_one_cell(position, block, rng):
    pooled = tf.constant(rng.normal(size=[4, 3, 2, 5]), tf.float32)
    mask = unpooling.mask_of(position, block)
    unpooled = unpooling.unpool(pooled, mask, block)
    np.testing.assert_allclose(block**2 * tf.nn.avg_pool2d(unpooled, block, block, "VALID"), pooled, rtol=1e-5)
    np.testing.assert_array_equal(unpooling.pool(unpooled, mask, block), pooled)


def test_a_blank_block_is_zero_both_ways(block, rng):
    values = tf.constant(rng.normal(size=[1, 2, 2, 3]), tf.float32)
    mask = unpooling.mask_of(tf.fill([1, 2, 2, 3], block**2), block)
    np.testing.assert_array_equal(mask, tf.zeros_like(mask))
    np.testing.assert_array_equal(unpooling.unpool(values, mask, block), tf.zeros_like(mask))


def test_blocks_are_the_cells_and_back(block, rng):
    maps = tf.constant(rng.normal(size=[2, 2 * block, 3 * block, 4]), tf.float32)
    cells = unpooling.blocks(maps, block)
    np.testing.assert_array_equal(cells[1, 1, 2, 3], tf.reshape(maps[1, block:, 2 * block :, 3], [-1]))
    np.testing.assert_array_equal(unpooling.from_blocks(cells, block), maps)


def test_draws_have_the_frequencies_of_their_logits(rng):
    logits = tf.constant(rng.normal(size=[5]), tf.float32)
    drawn = unpooling.draw_position(tf.tile(logits[None], [40_000, 1]), noise.seed(0))
    frequency = np.bincount(drawn.numpy(), minlength=5) / 40_000
    np.testing.assert_allclose(frequency, tf.nn.softmax(logits), atol=0.01)


def test_the_prior_is_uniform():
    drawn = unpooling.uniform_position([50_000], 5, noise.seed(1)).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 50_000, 0.2, atol=0.01)


def test_compiled_and_plain_are_the_same_numbers(position, block, rng):
    pooled = tf.constant(rng.normal(size=[4, 3, 2, 5]), tf.float32)

    def both_ways():
        mask = unpooling.mask_of(position, block)
        unpooled = unpooling.unpool(pooled, mask, block)
        return mask, unpooled, unpooling.pool(unpooled + 1.0, mask, block)

    for plain, compiled in zip(both_ways(), tf.function(both_ways, jit_compile=True)()):
        np.testing.assert_array_equal(plain, compiled)
