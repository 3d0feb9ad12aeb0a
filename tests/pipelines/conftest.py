"""These tests need the environment of the pipelines: `tools/test` runs them in it (tools/pipeline_environment)."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from pipelines.settings import Settings
from tfvae.configs import sdgm_digits
from tfvae.data import ingest

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [
    sys.executable, "-m", "pipelines.local", "--config=tfvae/configs/sdgm_digits.py:tiny",
    "--config.data.labels_per_class=0", "--config.training.epochs=40", "--config.training.learning_rate=0.003",
]  # fmt: skip

collect_ignore_glob = [] if importlib.util.find_spec("tfx") else ["test_*.py"]


def pytest_report_header():
    return "tests/pipelines: left out, there is no TFX in this environment" if collect_ignore_glob else None


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """240 digits: twenty labelled of each of three classes, unlabelled ones, and some for validation and test."""
    folder, digits = tmp_path_factory.mktemp("photos"), datasets.load_digits()
    for label in range(3):
        rows = np.flatnonzero(digits.target == label)[:80]
        places = (f"train/{label}", f"validation/{label}", f"test/{label}", "train/unlabelled")
        for place, chosen in zip(places, np.split(rows, [20, 30, 50])):
            (folder / place).mkdir(parents=True, exist_ok=True)
            for row in chosen:
                Image.fromarray((digits.images[row] * 15).astype(np.uint8)).save(folder / place / f"{row}.png")
    return folder


@pytest.fixture(scope="session")
def settings(photos, tmp_path_factory):
    """Of a pipeline over them that trains for forty epochs."""
    base = tmp_path_factory.mktemp("pipeline")
    ingest.ingest(photos, base / "shards", report=lambda text: None)
    experiment = sdgm_digits.get_config("tiny")
    experiment.data.labels_per_class = 0
    experiment.training.epochs, experiment.training.learning_rate = 40, 0.003
    return Settings("digits", experiment, base / "shards", base / "work", base / "served" / "digits")


@pytest.fixture(scope="session")
def first_run(settings):
    """The first run, which is killed inside the Trainer and started again; (exit code, record, log of the training)."""
    from pipelines import record, runner

    flags = [f"--input={settings.shards}", f"--workdir={settings.workdir}", f"--output={settings.output}"]
    with open(settings.output.parents[1] / "log", "w") as log:
        child = subprocess.Popen([*COMMAND, *flags], cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 300
        while not list(settings.workdir.glob("runs/*/checkpoints/*")) and child.poll() is None:
            assert time.monotonic() < deadline, pathlib.Path(log.name).read_text()[-2000:]
            time.sleep(0.05)
        assert child.poll() is None, pathlib.Path(log.name).read_text()[-2000:]
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert [node for node in record.read(settings)["nodes"] if node["state"] == "RUNNING"]
    code = runner.run(settings)
    return code, record.read(settings)
