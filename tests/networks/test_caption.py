"""q(s | Y)."""

import keras
import numpy as np
import pytest

from tfvae.heads import caption
from tfvae.networks.caption import CaptionEncoder

IDS = np.array([[2, 3, 4, 0, 0], [3, 0, 0, 0, 0]], np.int32)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_code_is_that_of_the_words_before_the_end(cell):
    encoder = CaptionEncoder(4, 5, caption.Config(cell, hidden=6, embedding=3))
    for variable in encoder.weights:
        variable.assign(np.random.default_rng(len(variable.shape)).normal(size=variable.shape))
    mean, log_variance = encoder(IDS)
    assert mean.shape == log_variance.shape == (2, 4)
    behind = IDS.copy()
    behind[0, 4], behind[1, 2:] = 2, [4, 1, 2]
    np.testing.assert_allclose(encoder(behind)[0], mean, rtol=1e-5)
    shorter, _ = encoder(IDS[:, :4])
    np.testing.assert_allclose(shorter, mean, rtol=1e-5)
    turned = IDS[:1, [1, 0, 2, 3, 4]]
    assert np.abs(encoder(turned)[0] - mean[:1]).max() > 1e-3, "the order of words has no influence"


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_code_is_float32_under_mixed_precision(cell):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = CaptionEncoder(4, 5, caption.Config(cell, hidden=6, embedding=3))
        mean, log_variance = encoder(IDS)
    finally:
        keras.config.set_dtype_policy("float32")
    assert mean.dtype == log_variance.dtype == "float32"
