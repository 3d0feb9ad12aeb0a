"""These tests need the environment of the pipelines: `tools/test` runs them in it (tools/pipeline_environment)."""

import importlib.util

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from pipelines.settings import Settings
from tfvae.configs import sdgm_digits
from tfvae.data import ingest

collect_ignore_glob = [] if importlib.util.find_spec("tfx") else ["test_*.py"]


def pytest_report_header():
    return "tests/pipelines: left out, there is no TFX in this environment" if collect_ignore_glob else None


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """240 digits: twenty labelled of each of three classes, bare ones, and some for validation and test."""
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
