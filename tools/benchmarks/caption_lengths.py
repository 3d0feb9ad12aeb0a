"""Captions for both frameworks: random words, in number as Flickr8k's captions (10.8 on average, 1 to 20 here)."""

import numpy as np


def captions(batch, words, length):
    """int32 [batch, length], 0 behind the last word of each."""
    rng = np.random.default_rng(0)
    sizes = np.clip(np.round(rng.normal(10.8, 3.8, batch)), 1, length - 1).astype(int)
    ids = rng.integers(2, words, [batch, length]).astype(np.int32)
    return np.where(np.arange(length) < sizes[:, None], ids, 0)
