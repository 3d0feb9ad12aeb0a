"""The sizes of the source's table 5, and the two passes as each other's mirror."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfvae import ranges
from tfvae.layers import unpooling
from tfvae.networks import dgdn
from tfvae.probability import noise


@pytest.mark.parametrize(
    ("side", "sizes", "pooling", "code", "padded"),
    [
        (28, (8, 6), (3,), 2, 0),
        (32, (5, 5, 5), (2, 2), 1, 0),
        (128, (7, 5, 5), (4, 2), 10, 2),
        (256, (5, 5, 5, 5, 5), (4, 2, 2, 2), 1, 2),
    ],
)
def test_sizes_of_table_5(side, sizes, pooling, code, padded):
    config = dgdn.Config((2,) * len(sizes), sizes, pooling)
    levels = dgdn.levels((side, side), config)
    assert levels[-1].maps == (code, code)
    assert sum(sum(level.padding[0]) > 0 for level in levels) == padded
    for level, above in itertools.pairwise(levels):
        assert above.size == tuple(n // level.block for n in level.maps)


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"8×8 are too small: layer 2 has 0×0|too small: layer 2"):
        dgdn.levels((10, 10), dgdn.Config())


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one fewer"):
        ranges.check(dgdn.Config((3, 4), (3, 2), ()))


@pytest.fixture(params=[(12, 12, 1), (13, 11, 2)])
def deconvnet(request):
    return dgdn.Deconvnet(request.param, dgdn.Config((3, 4), (3, 2), (2,)))


def masks(deconvnet, num, seed=0):
    position = unpooling.uniform_position([num, *deconvnet.map_shape(0)], 4, noise.seed(seed))
    return [unpooling.mask_of(position, 2)]


def test_the_image_is_linear_in_the_code_once_the_maps_are_given(deconvnet, rng):
    size = int(np.prod(deconvnet.code_shape))
    a, b = (tf.constant(rng.normal(size=[1, size]), tf.float32) for _ in range(2))
    u = masks(deconvnet, 1)
    together = deconvnet.top_down(2.0 * a - 3.0 * b, u)
    np.testing.assert_allclose(together, 2.0 * deconvnet.top_down(a, u) - 3.0 * deconvnet.top_down(b, u), atol=1e-4)


def test_the_two_passes_are_adjoint_for_equal_weights(deconvnet, rng):
    """⟨top_down(s), x⟩ = ⟨s, bottom_up(x)⟩ where filters are dictionaries and the same maps pool and unpool."""
    for up, down in zip(deconvnet.filters, deconvnet.dictionaries):
        up.filters.assign(down.dictionary)
    height, width = deconvnet.levels[0].size
    channels = deconvnet.filters[0].filters.shape[2]
    s = tf.constant(rng.normal(size=[2, int(np.prod(deconvnet.code_shape))]), tf.float32)
    x = tf.constant(rng.normal(size=[2, height, width, channels]), tf.float32)
    u = masks(deconvnet, 2)
    up = deconvnet.up(unpooling.pool(deconvnet.up(x, 0), u[0], 2), 1)
    np.testing.assert_allclose(np.sum(deconvnet.top_down(s, u) * x), np.sum(s * tf.reshape(up, s.shape)), rtol=1e-3)


def test_overlaps_are_inner_products_of_placed_elements(deconvnet):
    dictionary = deconvnet.dictionaries[0].dictionary.numpy()
    overlap = deconvnet.overlap().numpy()
    shifted = np.sum(dictionary[1:, :, :, 0] * dictionary[:-1, :, :, 0])  # Cells 0 and 2 lie one above the other.
    assert overlap[0, 0, 2] == pytest.approx(shifted, rel=1e-4)
    np.testing.assert_allclose(overlap[:, 3, 3], np.sum(dictionary**2, axis=(0, 1, 2)), rtol=1e-4)
