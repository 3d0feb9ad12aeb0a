"""Rows without any observation: what a model of a 2D potential is trained on (Maaløe et al. 2016, section 4.1)."""

import numpy as np

from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source

_NUM = 10_000


def load(config):
    """Empty images [N, 0]: a batch of them is only a number of draws."""
    del config  # There is nothing to choose.
    rows = Examples(np.zeros([_NUM, 0], np.float32), np.full([_NUM], NO_LABEL, np.int64))
    return Source(rows, rows.take(slice(0, 1000)))
