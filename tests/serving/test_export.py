import contextlib
import os
import shutil
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from tfvae.serving import export, gate, requests
from tfvae.storage import unfinished

REPORT = gate.Report(*["not verified: by this test"] * 5)


@pytest.fixture
def open_gate(monkeypatch):
    monkeypatch.setattr(gate, "check", lambda *args: REPORT)


def test_a_version_holds_what_a_server_wants(exported_sdgm):
    version = exported_sdgm[-1]
    assert version.name == "1" and os.listdir(version.parent) == ["1"]
    for file in ("saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests"):
        assert (version / file).is_file()
    warmup = requests.read_warmup(version / "assets.extra" / requests.WARMUP_FILE)
    assert {request.signature for request in warmup} >= {"classify", "classify_bytes", "classify_example", "score"}


def test_an_output_that_cannot_be_is_refused_before_anything_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "sdgm" / "1").mkdir(parents=True)
    (tmp_path / "sdgm" / "1" / "saved_model.pb").write_text("")
    for output in ("file", "file/sdgm"):
        with pytest.raises(ValueError, match=r"file is a file. Name another base path"):
            export.check_output(tmp_path / output)
    with pytest.raises(ValueError, match=r"is a version of a model; name the directory above it"):
        export.check_output(tmp_path / "sdgm" / "1")
    export.check_output(tmp_path / "new" / "sdgm")
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=r"no permission in"):
        export.check_output(tmp_path / "new" / "sdgm")


def test_what_takes_a_while_is_told_before_it_begins(encoder, tmp_path, open_gate):
    told = []
    version = export.export(*encoder, tmp_path / "vae", tell=told.append)
    num = len(set(export.describe(version)["signatures"]) - {"serving_default"})
    assert told[:2] == [f"tracing {num} signatures", "writing the SavedModel"] and len(told) == 3


def test_a_version_says_what_it_is(exported_sdgm):
    _, data, version = exported_sdgm
    described = export.describe(version)
    assert described["signatures"]["serving_default"] == described["signatures"]["classify"]
    assert described["signatures"]["score"] == {
        "inputs": {"image": "float32 [None, 8, 8, 1]", "seed": "int64 [None]"},
        "outputs": {"bound": "float32 [None]"},
    }
    assert described["class_names"] == list(data.class_names)
    assert described["image"] == {"shape": [8, 8, 1], "range": [0.0, 1.0]}
    assert described["gate"]["cpp_loader"] == "passed" and described["origin"] == {"git": "abc"}
    summary = export.summary(version)
    assert "score(image: float32 [None, 8, 8, 1], seed: int64 [None])" in summary and "reload       passed" in summary


def test_a_reloaded_version_classifies_as_the_model_does(exported_sdgm):
    model, data, version = exported_sdgm
    raw = data.test.image[:5]
    answer = tf.saved_model.load(str(version)).signatures["classify"](image=tf.constant(raw / 255.0, tf.float32))
    np.testing.assert_allclose(answer["probabilities"], model.classify(data.transform.observe(raw)), atol=1e-5)


def test_old_versions_stay(encoder, tmp_path, open_gate):
    (tmp_path / "7").mkdir()
    assert export.export(*encoder, tmp_path).name == "8"
    assert sorted(os.listdir(tmp_path)) == ["7", "8"]


def test_a_version_that_another_export_took_is_stepped_over(encoder, tmp_path, open_gate, monkeypatch):
    rename = os.rename

    def late(source, target):
        if target.name == "1":
            (target / "variables").mkdir(parents=True)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert export.export(*encoder, tmp_path).name == "2"


@pytest.mark.parametrize("error", [gate.GateError("ops", "because"), KeyboardInterrupt(), OSError(28, "No space left")])
def test_a_failed_export_leaves_nothing_behind(encoder, tmp_path, monkeypatch, error):
    def fail(directory, *args):
        assert (directory / "saved_model.pb").is_file()
        raise error

    monkeypatch.setattr(gate, "check", fail)
    with pytest.raises(type(error)):
        export.export(*encoder, tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_gate_error_names_the_point():
    error = gate.GateError("cpp_loader", "Could not find variable w.")
    assert str(error) == "The export failed the gate at point `cpp_loader`: Could not find variable w."
    assert isinstance(error, ValueError)


@contextlib.contextmanager
def watched(base):
    """A reader that polls a base path as a server does; yields ({versions seen}, [versions that were not whole])."""
    wanted = {"saved_model.pb", "variables", "assets.extra"}
    halves, seen, stop = [], set(), threading.Event()

    def poll():
        while not stop.is_set():
            for version in (name for name in os.listdir(base) if name.isdigit()):
                seen.add(version)
                description = base / version / "assets.extra" / export.DESCRIPTION
                if not (wanted <= set(os.listdir(base / version)) and description.stat().st_size):
                    halves.append(version)
            time.sleep(0.0005)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield seen, halves
    finally:
        time.sleep(0.05)
        stop.set()
        reader.join()


def test_a_reader_never_sees_half_a_version(encoder, tmp_path, open_gate):
    with watched(tmp_path) as (seen, halves):
        for _ in range(2):
            export.export(*encoder, tmp_path)
    assert seen == {"1", "2"} and not halves


def test_a_reader_never_sees_half_a_pushed_version(exported_encoder, tmp_path):
    """And the old ones stay loadable while the new ones appear."""
    copy = tmp_path / "copy"
    shutil.copytree(exported_encoder, copy)
    with watched(tmp_path) as (seen, halves):
        for number in range(1, 6):
            note = copy / "assets.extra" / "note"
            note.write_text(str(number))
            assert export.push(copy, tmp_path) == tmp_path / str(number)
            assert export.push(copy, tmp_path) == tmp_path / str(number), "the same version was pushed again"
            assert "encode" in tf.saved_model.load(str(tmp_path / "1")).signatures
    assert seen == set("12345") and not halves
    assert export.digest(tmp_path / "5") == export.digest(copy)


def test_a_push_that_fails_or_is_killed_leaves_no_version(exported_sdgm, tmp_path, monkeypatch, survives):
    digests = iter(["a", "b"])
    monkeypatch.setattr(export, "digest", lambda path: next(digests))
    with pytest.raises(OSError, match="is not what was copied"):
        export.push(exported_sdgm[2], tmp_path)
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(unfinished, "_dismantle", lambda place: None)
    monkeypatch.setattr(export, "digest", lambda path: "the same")
    monkeypatch.setattr(export, "_publish", lambda *args: 1 / 0)
    with survives("40 a kill during a push"):
        with pytest.raises(ZeroDivisionError):
            export.push(exported_sdgm[2], tmp_path)
        assert [name for name in os.listdir(tmp_path) if name.isdigit()] == []


def test_a_version_can_be_checked_again_and_a_flipped_bit_is_found(exported_encoder, tmp_path):
    version = export.push(exported_encoder, tmp_path)
    assert gate.check_again(version).reload == "passed"
    weights = next((version / "variables").glob("variables.data*"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 64
    weights.write_bytes(content)
    with pytest.raises(gate.GateError):
        gate.check_again(version)
    (version / "assets.extra" / requests.ANSWERS_FILE).unlink()
    with pytest.raises(gate.GateError, match="There is no file of answers"):
        gate.check_again(version)


def test_what_a_killed_export_leaves_is_no_version(encoder, tmp_path, open_gate, monkeypatch):
    """Nothing runs after a SIGKILL, so neither does the clean-up."""
    (tmp_path / ".incoming-0123456789abcdef" / "variables").mkdir(parents=True)  # Of version 0.2.
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(unfinished, "_dismantle", lambda place: None)
        patch.setattr(export, "_publish", lambda *args: 1 / 0)
        export.export(*encoder, tmp_path)
    (left,) = os.listdir(tmp_path)
    assert unfinished.is_unfinished(left) and not left.isdigit()
    export.export(*encoder, tmp_path)
    assert os.listdir(tmp_path) == ["1"], "what was left stays after the next export"
