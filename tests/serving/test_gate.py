"""The gate lets a good export through, and says of every bad one at which point it failed and why."""

import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfvae.serving import gate, requests

SPEC = [tf.TensorSpec([None, 3], tf.float32, name="image")]
IMAGE = np.arange(6, dtype=np.float32).reshape(2, 3)
QUESTION = requests.Request("encode", {"image": IMAGE})


@pytest.fixture(scope="module")
def dense():
    layer = keras.layers.Dense(2)
    layer.build([None, 3])
    return layer


@pytest.fixture(scope="module")
def good(dense, tmp_path_factory):
    """A small good export, warm-up records and all."""
    directory = tmp_path_factory.mktemp("good") / "1"
    return _export(directory, dense, lambda image: {"mean": dense(image)})


@pytest.fixture
def copy(good, tmp_path):
    """One to spoil."""
    return pathlib.Path(shutil.copytree(good, tmp_path / "1"))


@pytest.fixture
def expected(dense):
    return [{"mean": dense(IMAGE).numpy()}]


def _export(directory, layer, function):
    archive = keras.export.ExportArchive()
    archive.track(layer)
    archive.add_endpoint("encode", function, input_signature=SPEC)
    archive.write_out(str(directory), verbose=False)
    requests.write_warmup(directory, [QUESTION], "dense")
    return directory


def _log(signature="encode", **inputs):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(requests.to_message(requests.Request(signature, inputs), "dense"))
    return log.SerializeToString()


def _write_records(directory, records):
    with tf.io.TFRecordWriter(str(directory / "assets.extra" / requests.WARMUP_FILE)) as writer:
        for record in records:
            writer.write(record)


def _refusal(directory, expected):
    with pytest.raises(gate.GateError) as caught:
        gate.check(directory, [QUESTION], expected)
    return caught.value.point, str(caught.value)


def test_a_good_export_passes(good, expected, monkeypatch):
    monkeypatch.setenv("PATH", "")
    report = gate.check(good, [QUESTION], expected)
    assert report[:4] == ("passed",) * 4
    assert report.model_server == "not verified: no tensorflow_model_server on the PATH"


def test_a_function_for_xla_is_refused(dense, expected, tmp_path):
    compiled = tf.function(dense, jit_compile=True)
    point, message = _refusal(_export(tmp_path / "1", dense, lambda image: {"mean": compiled(image)}), expected)
    assert point == "ops" and "_XlaMustCompile" in message and "jit_compile=True" in message


def test_a_closed_batch_axis_is_refused(dense, expected, tmp_path):
    directory = _export(tmp_path / "1", dense, lambda image: {"mean": tf.ensure_shape(dense(image), [2, 2])})
    point, message = _refusal(directory, expected)
    assert point == "ops" and "output 'mean' of 'encode' has no open batch axis" in message


def test_an_op_of_python_is_refused(dense, expected, tmp_path):
    def doubled(image):
        mean = tf.py_function(lambda x: 2 * x, [dense(image)], tf.float32)
        return {"mean": tf.ensure_shape(mean, [None, 2])}

    point, message = _refusal(_export(tmp_path / "1", dense, doubled), expected)
    assert point == "ops" and "'EagerPyFunc' is not one of core TensorFlow" in message


def test_an_op_on_files_is_refused(dense, expected, tmp_path):
    def leak(image):
        secret = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return {"mean": dense(image) + tf.cast(secret, tf.float32)}

    point, message = _refusal(_export(tmp_path / "1", dense, leak), expected)
    assert point == "ops" and "'ReadFile' does not belong into a served graph" in message


def test_an_untracked_variable_is_refused_by_the_loader_of_the_server(dense, expected, tmp_path):
    module = tf.Module()
    module.layer = dense  # Python's loader finds the variable by this, the C++ loader does not.
    module.encode = tf.function(lambda image: {"mean": dense(image)}, input_signature=SPEC)
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"encode": module.encode})
    requests.write_warmup(tmp_path / "1", [QUESTION], "dense")
    point, message = _refusal(tmp_path / "1", expected)
    assert point == "cpp_loader" and "Could not find variable" in message


def test_other_answers_than_the_models_are_refused(good):
    point, message = _refusal(good, [{"mean": np.zeros([2, 2], np.float32)}])
    assert point == "cpp_loader" and "'encode' answers otherwise than the model: 'mean' is" in message


def test_damaged_variables_are_refused(copy, expected):
    path = copy / "variables" / "variables.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    point, message = _refusal(copy, expected)
    assert point == "cpp_loader", message


def test_the_reloading_process_cannot_import_tfvae():
    program = pathlib.Path(gate.__file__).parent / "isolated" / "reload.py"
    attempt = f"import sys; sys.path.insert(0, {str(program.parent)!r}); import reload; "
    attempt += "sys.meta_path.insert(0, reload.Refuser()); import tfvae"
    done = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, check=False)
    assert "An export must not need `tfvae`" in done.stderr


def test_an_answer_may_differ_by_rounding_and_no_more():
    want = {"mean": np.array([1.0, 100.0], np.float32), "label": np.array([b"one", b"two"], object)}
    assert not gate.differs({**want, "mean": want["mean"] * np.float32(1 + 1e-6)}, want)
    assert "'mean' is" in gate.differs({**want, "mean": want["mean"] * np.float32(1.01)}, want)
    assert "'label' is" in gate.differs({**want, "label": np.array([b"one", b"ten"], object)}, want)
    assert "shape [1] instead of [2]" in gate.differs({**want, "mean": want["mean"][:1]}, want)
    assert "outputs ['mean'] instead of ['label', 'mean']" in gate.differs({"mean": want["mean"]}, want)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "1 to 1000 records, this one holds no records"),
        ([b""], "record 0 holds no predict request"),
        ([b"\xff\xffjunk"], "record 0 is no readable PredictionLog"),
        ([_log(image=IMAGE)] * 1001, "this one holds more than 1000"),
        ([_log(image=IMAGE), _log("dream", image=IMAGE)], "record 1: there is no signature 'dream'"),
        ([_log(picture=IMAGE)], r"record 0: 'encode' takes \['image'\], the request holds \['picture'\]"),
        ([_log(image=IMAGE), _log(image=np.zeros([2, 4], np.float32))], r"record 1 \(encode\) fails"),
    ],
)
def test_bad_warmup_records_are_refused(copy, expected, records, reason):
    _write_records(copy, records)
    with pytest.raises(gate.GateError, match=reason) as caught:
        gate.check(copy, [QUESTION], expected)
    assert caught.value.point == "warmup"


def test_a_damaged_or_missing_warmup_file_is_refused(copy, expected):
    path = copy / "assets.extra" / requests.WARMUP_FILE
    content = bytearray(path.read_bytes())
    content[20] ^= 0xFF
    path.write_bytes(bytes(content))
    assert _refusal(copy, expected)[0] == "warmup"
    path.unlink()
    point, message = _refusal(copy, expected)
    assert point == "warmup" and "no file of warm-up requests" in message
