"""The gate's client of `tensorflow_model_server`, against a test double of it (`model_server_double.py`)."""

import os
import pathlib
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.serving import gate, model_server, requests

DOUBLE = pathlib.Path(__file__).with_name("model_server_double.py")
QUESTIONS = [
    requests.Request("both", {"image_bytes": np.array([b"one", b"\xff\0"], object), "seed": np.array([3, 4])}),
    requests.Request("one", {"seed": np.array([3, 4])}),
]


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served") / "5"
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    text = tf.TensorSpec([None], tf.string, name="image_bytes")
    archive = keras.export.ExportArchive()
    archive.add_endpoint("both", _both, input_signature=[text, seed])
    archive.add_endpoint("one", lambda seed: {"bound": tf.cast(seed, tf.float32) / 3.0}, input_signature=[seed])
    archive.write_out(str(directory), verbose=False)
    return directory


def _both(text, seed):
    png = tf.io.encode_png(tf.zeros([tf.size(text), 2, 2, 1], tf.uint8))
    return {"image_bytes": png, "label": tf.strings.as_string(seed), "length": tf.strings.length(text)}


def _install(directory, monkeypatch, script):
    binary = directory / model_server.BINARY
    binary.write_text(script)
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def double(tmp_path, monkeypatch):
    root = pathlib.Path(gate.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    _install(tmp_path, monkeypatch, f'#!/bin/sh\nexec "{sys.executable}" "{DOUBLE}" "$@"\n')


def _expected():
    png = tf.io.encode_png(np.zeros([2, 2, 1], np.uint8)).numpy()
    both = {
        "image_bytes": np.array([png, png], object),
        "label": np.array([b"3", b"4"], object),
        "length": np.array([3, 2], np.int32),
    }
    return [both, {"bound": np.array([1.0, 4 / 3], np.float32)}]


def test_both_protocols_are_asked_and_compared(version, double):
    assert model_server.verify(version, "m", QUESTIONS, _expected(), gate.differs) == "passed"


def test_another_answer_is_refused(version, double):
    wrong = _expected()
    wrong[1]["bound"] = wrong[1]["bound"] + 1.0
    with pytest.raises(model_server.ServerError, match="'one' over gRPC: 'bound' is"):
        model_server.verify(version, "m", QUESTIONS, wrong, gate.differs)


def test_a_server_that_does_not_start_is_told_with_its_words(version, tmp_path, monkeypatch):
    _install(tmp_path, monkeypatch, "#!/bin/sh\necho no such flag; exit 1\n")
    with pytest.raises(model_server.ServerError, match="did not load the version: no such flag"):
        model_server.verify(version, "m", QUESTIONS, _expected(), gate.differs)


def test_without_the_server_it_is_not_verified(version, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert model_server.verify(version, "m", [], [], gate.differs).startswith("not verified")
