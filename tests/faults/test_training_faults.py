"""Faults in training: kills, full disks, damaged files, NaN, replicas, strangers in the run directory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.command_line import errors
from tfvae.configs import vae_digits
from tfvae.models import vae
from tfvae.models.base import Objective
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.storage import atomic, checkpoints
from tfvae.training import callbacks, trainer

ROOT = Path(tfvae.__file__).parents[1]
TWO_REPLICAS = Path(__file__).parents[1] / "training" / "two_replicas.py"
EPOCHS = 15  # Enough that a kill after the first epoch comes before the last.

_survived, _ran = set(), set()


@pytest.fixture(scope="module", autouse=True)
def count_the_survived():
    yield
    print(f"\ntraining faults survived: {len(_survived)} of {len(_ran)}")


@pytest.fixture
def survives():
    """Counts a fault: `with survives("26 ..."):` around what must hold."""

    class Counted:
        def __init__(self, fault):
            self.fault = fault

        def __enter__(self):
            _ran.add(self.fault)

        def __exit__(self, kind, error, traceback):
            if kind is None:
                _survived.add(self.fault)

    return Counted


@pytest.fixture(scope="module", autouse=True)
def no_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        yield


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(checkpoints.logging, "warning", lambda text, *args: said.append(text % args))
    return said


def tiny(epochs=2):
    experiment = vae_digits.get_config("tiny")
    experiment.training.epochs = epochs
    experiment.training.figures_epochs = 0
    return experiment


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    trainer.train(tiny(EPOCHS), workdir)
    return workdir


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "two_epochs"
    trainer.train(tiny(), workdir)
    return workdir


@pytest.fixture
def trained(two_epochs, tmp_path):
    return shutil.copytree(two_epochs, tmp_path / "run")


def state(workdir):
    return checkpoints.Checkpoints(workdir / "checkpoints").newest()


def assert_bit_equal(workdir, other):
    ours, theirs = state(workdir), state(other)
    assert ours.step == theirs.step
    for group in ("model", "optimiser"):
        assert set(ours.values[group]) == set(theirs.values[group])
        for path, array in ours.values[group].items():
            np.testing.assert_array_equal(array, theirs.values[group][path], err_msg=path)
    assert (workdir / "best.weights.h5").read_bytes() == (other / "best.weights.h5").read_bytes()


def binary(workdir, *arguments):
    """The real program, in a process of its own."""
    preset = ROOT / "tfvae" / "configs" / "vae_digits.py"
    command = [
        sys.executable, "-m", "tfvae.bin.train", f"--config={preset}:tiny", f"--workdir={workdir}",
        "--config.training.figures_epochs=0", *arguments,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_flipped_bit_in_the_weights(trained, survives):
    with survives("26 weights, flipped bit"):
        flip(trained / "best.weights.h5")
        with pytest.raises(atomic.DamagedFileError, match=r"best.weights.h5 is damaged"):
            opening.open_run(trained)


@pytest.mark.parametrize(
    ("fault", "damage"),
    [
        ("27 checkpoint, flipped bit", flip),
        ("28 checkpoint, cut", cut),
        ("29 checkpoint, empty", lambda path: path.write_bytes(b"")),
        ("30 checkpoint without its checksum", lambda path: atomic.sidecar(path).unlink()),
    ],
)
def test_damaged_checkpoint(trained, survives, warnings, fault, damage):
    with survives(fault):
        damage(checkpoints.Checkpoints(trained / "checkpoints").path(22))
        assert state(trained).step == 11
        assert "step-000000022.h5" in warnings[0] and "Using the checkpoint before it" in warnings[0]


def test_cut_backup_is_made_again(trained, two_epochs, survives, warnings):
    with survives("31 backup, cut"):
        cut(checkpoints.Checkpoints(trained / "checkpoints").path(22))
        trainer.train(tiny(), trained)
        assert_bit_equal(trained, two_epochs)


@pytest.mark.parametrize(
    ("fault", "full_at", "victim"),
    [
        ("32 full disk, first file", 0, "split.json"),
        ("33 full disk, best weights", 12, "best.weights.h5"),
        ("34 full disk, TensorBoard", 12, "tensorboard"),
    ],
)
def test_full_disk(tmp_path, two_epochs, survives, fillable_disk, monkeypatch, fault, full_at, victim):
    sizes = {path.name: path.stat().st_size for path in two_epochs.rglob("*") if path.is_file()}
    limit = sizes.get(victim, 100) - 1
    count, write = callbacks.Steps.on_train_batch_end, atomic.write_bytes

    def filling(self, batch, logs=None):
        count(self, batch, logs)
        if self.state.step == full_at:
            before.append((tmp_path / "best.weights.h5").read_bytes())
            fill(limit)

    before = []
    with survives(fault), monkeypatch.context() as patch:
        patch.setattr(callbacks.Steps, "on_train_batch_end", filling)
        if not full_at:
            patch.setattr(atomic, "write_bytes", lambda path, data: (fill(limit), write(path, data)))
        with fillable_disk() as fill, pytest.raises(OSError, match=rf"could not write .*{victim}"):
            trainer.train(tiny(), tmp_path)
        assert not before or atomic.read_checked(tmp_path / "best.weights.h5") == before[0]
        patch.undo()
        trainer.train(tiny(), tmp_path)
        assert_bit_equal(tmp_path, two_epochs)


@pytest.mark.parametrize(
    ("fault", "number", "code"),
    [("35 SIGTERM", signal.SIGTERM, 143), ("36 SIGKILL", signal.SIGKILL, -signal.SIGKILL)],
)
def test_stopped_from_outside(tmp_path, uninterrupted, survives, fault, number, code):
    with survives(fault):
        process = binary(tmp_path, f"--config.training.epochs={EPOCHS}")
        log, deadline = tmp_path / "metrics.jsonl", time.monotonic() + 200
        while not (log.exists() and log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=200)
        assert process.returncode == code, said
        assert len(log.read_text().splitlines()) < EPOCHS
        trainer.train(tiny(EPOCHS), tmp_path)
        assert_bit_equal(tmp_path, uninterrupted)


def test_nan_loss(tmp_path, survives, monkeypatch, capsys):
    objective = vae.VAE.objective

    def spoilt(self, batch, seed, training=False):
        good = objective(self, batch, seed, training)
        if not training:
            return good
        factor = tf.where(tf.convert_to_tensor(self.step) >= 15, np.nan, 1.0)
        return Objective(good.loss * factor, {**good.terms, "kl": good.terms["kl"] * factor})

    with survives("38 NaN loss"):
        monkeypatch.setattr(vae.VAE, "objective", spoilt)
        with pytest.raises(SystemExit) as exit_info:
            errors.friendly(lambda argv: trainer.train(tiny(), tmp_path))([])
        assert exit_info.value.code == 1
        told = capsys.readouterr().err.splitlines()[-1]
        assert told.startswith("error: Training stopped: the term 'kl' of step 15") and "Likely cause: a NaN" in told
        assert state(tmp_path).step == 11
        dumped = {path.name for path in (tmp_path / "nan_dump").iterdir()}
        assert dumped == {"batch.npz", "terms.npz", "report.json"}


def test_two_replicas(tmp_path, survives):
    command = [sys.executable, str(TWO_REPLICAS), str(tmp_path), "draws", "update"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    answer = json.loads(ran.stdout.splitlines()[-1])
    with survives("46 replicas with the same noise"):
        assert answer["draws"][0] != answer["draws"][1]
    with survives("47 replicas that step twice as far"):
        assert answer["update"][1] == pytest.approx(answer["update"][0], rel=1e-5)


def another_config(experiment, workdir):
    experiment.training.learning_rate = 0.5


def another_draw(experiment, workdir):
    experiment.data.label_seed = 7


def other_rows(experiment, workdir):
    split = json.loads((workdir / "split.json").read_text())
    split["validation"] = split["validation"][1:]
    (workdir / "split.json").write_text(json.dumps(split))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (another_config, r"training.learning_rate is 0.001 there, 0.5 here"),
        (another_draw, r"data.label_seed is 0 there, 7 here"),
        (other_rows, r"is not the split this run began with"),
    ],
)
def test_resume_of_another_run(trained, survives, change, told):
    with survives(f"48 resume with {change.__name__}"):
        experiment = tiny()
        change(experiment, trained)
        with pytest.raises(ValueError, match=told):
            trainer.train(experiment, trained)


def test_resume_with_other_data(trained, survives, monkeypatch):
    from tfvae.data.sources import digits

    load = digits.load

    def changed(config):
        source = load(config)
        source.train.image[0, 0, 0] ^= 255
        return source

    with survives("48 resume with other data"):
        monkeypatch.setattr(digits, "load", changed)
        with pytest.raises(ValueError, match=r"data"):
            trainer.train(tiny(), trained)


def test_two_processes(trained, survives):
    with survives("49 two processes on one run directory"), RunDirectory(trained).lock():
        process = binary(trained)
        _, said = process.communicate(timeout=200)
        assert process.returncode == 1
        told = said.splitlines()[-1]
        assert told.startswith("error: ") and f"in use by process {os.getpid()}" in told
