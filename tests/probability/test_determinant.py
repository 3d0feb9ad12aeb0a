import numpy as np
import tensorflow as tf

from tfvae.probability import determinant


def test_both_ways_are_numpys(rng):
    matrices = rng.normal(size=[5, 4, 4]).astype("float32")
    expected = np.linalg.slogdet(matrices)[1]
    np.testing.assert_allclose(determinant.log_abs_det(matrices), expected, rtol=1e-4, atol=1e-4)
    with determinant.compiled():
        ours = tf.function(determinant.log_abs_det, jit_compile=True)(matrices)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
