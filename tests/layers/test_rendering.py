"""A rendering layer's two directions are each other's transpose, given what was inferred."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers.rendering import PADDINGS, RenderingLayer
from tfvae.probability import noise

# Sides that blocks divide and sides that they do not, square and not.
SIDES = [(6, 6), (7, 5), (5, 8)]


def layer_of(in_shape, padding="valid", block=1, kernel_size=3, ties="shared", filters=4):
    return RenderingLayer(in_shape, filters, kernel_size, padding, block, ties, name="layer")


def inferred(layer, images):
    """The layer's inference with batch normalisation switched off, so that both directions have the same filters."""
    layer.norm.epsilon = 0.0
    return layer.infer(images)


@pytest.mark.parametrize("sides, padding, block", itertools.product(SIDES, PADDINGS, [1, 2, 3]))
def test_top_down_is_the_transpose_of_bottom_up_given_the_mask(rng, sides, padding, block):
    layer = layer_of((*sides, 2), padding, block)
    images = tf.constant(rng.normal(size=[5, *sides, 2]), tf.float32)
    pooled, mask = inferred(layer, images)
    template = tf.constant(rng.normal(size=pooled.shape), tf.float32)
    # ⟨Λᵀ x, z⟩ = ⟨x, Λ z⟩
    up, down = (
        tf.reduce_sum(pooled * template, [1, 2, 3]),
        tf.reduce_sum(images * layer.render(template, mask), [1, 2, 3]),
    )
    np.testing.assert_allclose(up, down, rtol=1e-4, atol=1e-4)


def test_ties_on_a_constant_background_are_shared_or_counted_in_full():
    images = tf.concat([tf.ones([1, 6, 6, 1]), -tf.ones([1, 6, 6, 1])], axis=0)
    shared, every = (layer_of((6, 6, 1), "half", 2, ties=ties) for ties in ("shared", "all"))
    every.set_weights(shared.get_weights())
    (pooled, by_share), (_, in_full) = inferred(shared, images), inferred(every, images)
    blocks = tf.nn.avg_pool2d(by_share, 2, 2, "VALID") * 4.0
    np.testing.assert_allclose(blocks, tf.cast(pooled > 0, tf.float32), rtol=1e-6)
    assert set(np.unique(in_full)) <= {0.0, 1.0}
    # In the middle all four cells of a block see the same pixels: they are equal.
    equal = in_full[:, 2:4, 2:4].numpy().sum((1, 2))
    assert set(np.unique(equal)) == {0.0, 4.0}
    template = tf.ones_like(pooled)
    up = tf.reduce_sum(pooled * template, [1, 2, 3])
    np.testing.assert_allclose(up, tf.reduce_sum(images * shared.render(template, by_share), [1, 2, 3]), rtol=1e-4)
    assert np.abs(up - tf.reduce_sum(images * every.render(template, in_full), [1, 2, 3])).max() > 0.1


def test_a_mask_is_of_the_maximum_of_its_block_where_that_is_positive(rng):
    layer = layer_of((7, 7, 2), "half", 2)
    images = tf.constant(rng.normal(size=[3, 7, 7, 2]), tf.float32)
    pooled, mask = inferred(layer, images)
    maps = layer.norm(layer.convolve(images)).numpy()
    for b, i, j, c in itertools.product(range(3), range(4), range(4), range(4)):
        cells = maps[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        of_block = mask[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].numpy()
        assert float(pooled[b, i, j, c]) == pytest.approx(max(cells.max(), 0.0), abs=1e-6)
        np.testing.assert_array_equal(of_block, (cells == cells.max()) & (cells.max() > 0))


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_template_is_rendered_by_the_flipped_filters_of_the_opposite_convolution(rng, padding):
    """ "Full" is undone by "valid" and "valid" by "full", "half" by itself (Nguyen et al. 2016, appendix B)."""
    layer, opposite = layer_of((6, 6, 2), padding), {"full": "valid", "valid": "full", "half": "half"}[padding]
    template = tf.constant(rng.normal(size=[2, *layer.conv_shape]), tf.float32)
    flipped = layer.kernel.numpy()[::-1, ::-1].transpose(0, 1, 3, 2)
    if padding == "full":  # It is written as a transpose itself, whose filters are not flipped.
        flipped = flipped[::-1, ::-1]
    pad = {"full": 2, "half": 1, "valid": 0}[opposite]
    padded = tf.pad(template, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    expected = tf.nn.conv2d(padded, flipped, 1, "VALID")
    np.testing.assert_allclose(layer.convolve_transposed(template), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides, block", itertools.product(SIDES, [1, 2]))
def test_masks_are_drawn_as_often_as_they_were_seen(rng, sides, block):
    layer = layer_of((*sides, 1), "half", block, filters=2)
    _, mask = inferred(layer, tf.constant(rng.normal(size=[400, *sides, 1]), tf.float32))
    layer.record(mask, rate=1.0)
    np.testing.assert_allclose(layer.frequencies, np.mean(mask, axis=0), atol=1e-6)
    drawn = layer.draw(4000, noise.seed(0)).numpy()
    np.testing.assert_allclose(drawn.mean(0), layer.frequencies, atol=0.05)
    assert set(np.unique(drawn)) <= {0.0, 1.0}


def test_frequencies_of_a_channel_count_the_rows_that_speak_of_it():
    layer = layer_of((3, 3, 1), "half", filters=2)
    mask = np.zeros([4, 3, 3, 2], np.float32)
    mask[:2, ..., 0], mask[2, ..., 1] = 1.0, 1.0
    layer.record(tf.constant(mask), weights=tf.constant([[1.0, 0], [1, 0], [0, 1], [0, 1]]), rate=1.0)
    np.testing.assert_allclose(layer.frequencies[0, 0], [1.0, 0.5], atol=1e-6)
    before = layer.frequencies.numpy()
    layer.record(tf.constant(mask), weights=tf.zeros([4, 2]), rate=1.0)
    np.testing.assert_array_equal(layer.frequencies, before)
