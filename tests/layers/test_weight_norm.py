import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers.masked import MaskedConv2D
from tfvae.layers.weight_norm import WeightNorm, apply_kernel, initialising

LAYERS = {
    "dense": lambda: keras.layers.Dense(5),
    "conv": lambda: keras.layers.Conv2D(5, 3, 2, padding="same"),
    "transposed": lambda: keras.layers.Conv2DTranspose(5, 3, 2, padding="same"),
    "masked": lambda: MaskedConv2D(5, 3, "A"),
}


def made(kind, rng):
    x = tf.constant(rng.normal(1.0, 3.0, size=[64, 4] if kind == "dense" else [16, 6, 6, 4]), tf.float32)
    return WeightNorm(LAYERS[kind](), x.shape), x


@pytest.mark.parametrize("kind", LAYERS)
def test_units_begin_with_mean_0_and_variance_1(kind, rng):
    layer, x = made(kind, rng)
    with initialising(layer):
        layer(x)
    y = np.asarray(layer(x)).reshape(-1, 5)
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.var(0), 1.0, rtol=1e-4)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_unit_has_the_length_g_of_what_the_mask_leaves(kind, rng):
    layer, x = made(kind, rng)
    layer.g.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    kernel = np.moveaxis(np.asarray(layer.kernel()), layer.units_axis, 0).reshape(5, -1)
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=1), [1, 2, 3, 4, 5], rtol=1e-5)
    plain = LAYERS[kind]()
    plain.build(x.shape)
    plain.kernel.assign(layer.kernel())
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-4, atol=1e-5)


def test_a_unit_that_never_varies_stays_finite():
    layer = WeightNorm(keras.layers.Dense(2), [None, 3])
    with initialising(layer):
        np.testing.assert_allclose(layer(tf.ones([8, 3])), 0.0, atol=1e-6)
    np.testing.assert_array_equal(layer.g, 1.0)


def test_a_layer_of_unknown_kind_is_refused():
    with pytest.raises(TypeError, match="LayerNormalization"):
        apply_kernel(keras.layers.LayerNormalization(), tf.ones([2, 3]), tf.ones([3, 2]))
