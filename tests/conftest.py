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
from tfvae.configs import sdgm_digits
from tfvae.data import load
from tfvae.serving import export


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def exported_sdgm(tmp_path_factory):
    """(model, data, its first version through the whole gate); nobody may change them."""
    config = sdgm_digits.get_config("tiny")
    data = load.load(config.data)
    model = config.model.build(data.info, seed=0).prepare(next(iter(data.training_batches(0))))
    base = tmp_path_factory.mktemp("savedmodels") / "sdgm"
    return model, data, export.export(model, data, base, origin={"git": "abc"})


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


_ran, _failed = set(), set()


@pytest.fixture
def survives(record_property):
    """Counts a fault that was put in: `with survives("1 payload"):` around what must hold."""

    @contextlib.contextmanager
    def counted(fault):
        record_property("fault", fault)
        try:
            yield
        except BaseException:
            record_property("fault not survived", fault)
            raise

    return counted


def pytest_runtest_logreport(report):
    """Collects the faults, whichever process ran the test."""
    if report.when == "call":
        _ran.update(fault for name, fault in report.user_properties if name == "fault")
        _failed.update(fault for name, fault in report.user_properties if name == "fault not survived")


def pytest_terminal_summary(terminalreporter):
    """One line at the end of a run."""
    if _ran:
        terminalreporter.write_line(f"faults survived: {len(_ran - _failed)} of {len(_ran)}")
