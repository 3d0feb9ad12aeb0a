"""Fixtures that all tests share."""

import contextlib
import fcntl
import os
import resource

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.configs import sdgm_digits, vae_digits
from tfvae.data import load
from tfvae.models import vae
from tfvae.serving import export
from tfvae.storage import checkpoints


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def built(experiment, kind=None):
    """(model, data) of an experiment, untrained."""
    data = load.load(experiment.data)
    model = kind(experiment.model, data.info) if kind else experiment.model.build(data.info, seed=0)
    return model.prepare(next(iter(data.training_batches(0)))), data


@contextlib.contextmanager
def _shared_by_processes(tmp_path_factory, name):
    """A directory that all processes of a run of the tests share, held by one of them at a time."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared_{name}"
    directory.mkdir(exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory


@pytest.fixture(scope="session")
def exported_sdgm(tmp_path_factory):
    """(model, data, its first version through the whole gate); nobody may change them."""
    model, data = built(sdgm_digits.get_config("tiny"))
    with _shared_by_processes(tmp_path_factory, "export") as directory:
        version, weights = directory / "sdgm" / "1", directory / "weights.h5"
        if not version.exists():
            checkpoints.save_weights(weights, model)
            export.export(model, data, version.parent, origin={"git": "abc"})
        checkpoints.load_weights(weights, model)  # Of the process that exported it.
    return model, data, version


class Encoder(vae.VAE):
    """The smallest thing to serve."""

    def endpoints(self):
        return {"encode": super().endpoints()["encode"]}


@pytest.fixture(scope="session")
def encoder():
    """(model, data) of what is exported in a moment; nobody may change them."""
    return built(vae_digits.get_config("tiny"), Encoder)


@pytest.fixture(scope="session")
def exported_encoder(encoder, tmp_path_factory):
    """Its first version through the whole gate."""
    return export.export(*encoder, tmp_path_factory.mktemp("savedmodels") / "encoder")


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
