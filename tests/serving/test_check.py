"""The gate for SavedModels that are not ours."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.serving import check
from tfvae.storage import checked_json


@pytest.fixture(scope="module")
def classifier():
    inputs = keras.Input([4])
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))


def outcomes(path):
    return {point.name: point.outcome for point in check.check(path)}


def test_a_model_that_keras_exports_passes(classifier, tmp_path):
    classifier.export(tmp_path / "1", verbose=False)
    points = check.check(tmp_path)  # The base path: its newest version.
    found = {point.name: point.outcome for point in points}
    assert not check.failed(points)
    assert found["cpp_loader"] == found["ops"] == found["reload"] == "passed"
    assert found["warmup"] == "warned"


def test_a_model_that_only_python_loads_is_refused(classifier, tmp_path):
    """A plain tf.Module around a Keras 3 model loads in Python; the C++ loader finds no variables."""

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.model = classifier

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def serve(self, x):
            return {"probabilities": self.model(x)}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": module.serve})
    points = check.check(tmp_path / "1")
    assert check.failed(points) and points[-1].outcome == "failed"
    assert points[-1].name in ("reload", "cpp_loader")


def saved(path, function, shape):
    """A SavedModel of one function."""
    module = tf.Module()
    signature = [tf.TensorSpec(shape, tf.float32, name="x")]
    module.serve = tf.function(lambda x: {"y": function(x)}, input_signature=signature)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    return path


def test_a_closed_batch_is_warned_of(tmp_path):
    found = outcomes(saved(tmp_path / "1", lambda x: x + 1.0, [2, 4]))
    assert found["batch axes"] == "warned" and found["cpp_loader"] == "passed"


def test_what_needs_xla_is_refused(tmp_path):
    compiled = tf.function(lambda x: x + 1.0, jit_compile=True)
    (point,) = check.check(saved(tmp_path / "1", compiled, [None, 4]))
    assert point.outcome == "failed" and "_XlaMustCompile" in point.reason


def test_our_own_export_passes_with_its_warm_up(exported_encoder):
    found = outcomes(exported_encoder)
    assert set(found.values()) == {"passed"} and "warmup" in found


def test_the_command_tells_by_its_exit_code(classifier, tmp_path):
    classifier.export(tmp_path / "1", verbose=False)
    program = [sys.executable, "-m", "tfvae.bin.check", f"--model={tmp_path}"]
    (tmp_path / "1" / "variables" / "variables.index").write_bytes(np.random.default_rng(0).bytes(50))
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "failed" in done.stdout
    done = subprocess.run([*program[:-1], "--model=/nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: ")


def test_the_command_accepts_a_file_that_was_edited_on_purpose(tmp_path):
    path = tmp_path / "config.json"
    checked_json.write(path, {"note": "old"})
    path.write_text(path.read_text().replace("old", "new"))
    program = [sys.executable, "-m", "tfvae.bin.check", f"--accept={path}"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "has the checksum of what it holds now" in done.stdout
    assert checked_json.read(path) == {"note": "new"}
