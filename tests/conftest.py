"""Fixtures that all tests share."""

import contextlib
import os
import resource

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fillable_disk():
    """`with fillable_disk() as fill:` — after `fill(size)` no file of this process grows beyond `size` bytes.

    It ends with the block, not with the test: pytest writes its progress between the two, perhaps into a larger file.
    """

    @contextlib.contextmanager
    def block():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return block


@pytest.fixture
def info():
    """Twelve pixels, three classes, 10 of 50 rows labelled."""
    return DataInfo((12,), 3, 50, 10)


@pytest.fixture
def batch(rng):
    def image(num):
        return tf.constant((rng.random([num, 12]) > 0.5).astype("float32"))

    return {
        "labelled": {"image": image(6), "label": tf.constant(rng.integers(0, 3, 6))},
        "unlabelled": {"image": image(8)},
    }
