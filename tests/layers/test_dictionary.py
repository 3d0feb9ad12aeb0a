"""Dictionaries and filters are plain convolutions; code networks do not mix maps."""

import numpy as np
import tensorflow as tf
from scipy import signal

from tfvae.layers.dictionary import DictionaryConvolution, FilterBank, MapwiseGaussian
from tfvae.layers.pooling import PoolingLogits


def test_a_dictionary_is_the_full_convolution_summed_over_its_elements(rng):
    layer = DictionaryConvolution(2, 3, 4)
    maps = rng.normal(size=[1, 5, 6, 3]).astype("float32")
    dictionary = layer.dictionary.numpy()
    expected = [
        sum(signal.convolve2d(maps[0, :, :, k], dictionary[:, :, c, k], mode="full") for k in range(3)) for c in (0, 1)
    ]
    np.testing.assert_allclose(layer(maps)[0], np.stack(expected, axis=-1), rtol=1e-4, atol=1e-5)


def test_filters_are_the_adjoint_of_a_dictionary(rng):
    """⟨D s, x⟩ = ⟨s, F x⟩ where filters and dictionary are the same numbers."""
    up, down = FilterBank(2, 3, 4), DictionaryConvolution(2, 3, 4)
    up.filters.assign(down.dictionary)
    s, x = (rng.normal(size=shape).astype("float32") for shape in ([1, 5, 6, 3], [1, 8, 9, 2]))
    np.testing.assert_allclose(np.sum(down(s) * x), np.sum(s * up(x)), rtol=1e-4)


def test_a_code_looks_at_its_own_map_alone(rng):
    layer = MapwiseGaussian(3, 4, 5)
    maps = rng.normal(size=[2, 2, 2, 3]).astype("float32")
    changed = maps.copy()
    changed[..., 1] += 1.0
    for before, after in zip(layer(tf.constant(maps)), layer(tf.constant(changed))):
        moved = np.any(np.reshape(before != after, [2, 4, 3]), axis=(0, 1))
        np.testing.assert_array_equal(moved, [False, True, False])


def test_a_code_is_the_source_s_two_layer_network(rng):
    layer = MapwiseGaussian(3, 4, 5)
    maps = rng.normal(size=[2, 2, 2, 3]).astype("float32")
    mean, log_variance = layer(tf.constant(maps))
    cells = maps[1].reshape(4, 3)[:, 2]
    w_hidden, w_mean, w_log_scale = (w[2].numpy() for w in (layer.w_hidden, layer.w_mean, layer.w_log_scale))
    h = np.tanh(cells @ w_hidden)
    np.testing.assert_allclose(np.reshape(mean, [2, 4, 3])[1, :, 2], h @ w_mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        np.reshape(log_variance, [2, 4, 3])[1, :, 2], 2.0 * (h @ w_log_scale), rtol=1e-4, atol=1e-6
    )


def test_the_logits_of_a_block_depend_on_that_block_alone(rng):
    layer = PoolingLogits(2, 7, 5)
    maps = rng.normal(size=[1, 4, 6, 3]).astype("float32")
    changed = maps.copy()
    changed[0, 2:, 2:4, 1] += 1.0  # Block (1, 1) of map 1.
    differs = np.any(np.asarray(layer(tf.constant(maps)) != layer(tf.constant(changed))), axis=-1)[0]
    assert differs.sum() == 1 and differs[1, 1, 1]
