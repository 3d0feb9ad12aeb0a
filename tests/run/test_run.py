"""A run directory refuses what does not belong to it, and opens again."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tfvae.configs import vae_digits
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.storage import atomic, checkpoints
from tfvae.training import trainer


def tiny():
    experiment = vae_digits.get_config("tiny")
    experiment.training.epochs = 1
    experiment.training.figures_epochs = 0
    return experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one epoch; tests that change it copy it."""
    workdir = tmp_path_factory.mktemp("runs") / "vae"
    trainer.train(tiny(), workdir)
    return workdir


@pytest.fixture
def begun(tmp_path):
    """A run directory with its data drawn, nothing trained."""
    directory = RunDirectory(tmp_path)
    with directory.lock():
        directory.record(tiny(), directory.load_data(tiny()))
    return directory


def test_config_says_what_made_the_run(trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["experiment"]["model"]["type"] == "tfvae.models.vae.Config"
    assert config["seeds"] == {"training": 0, "labels": 0}
    assert {"python", "tensorflow", "keras"} <= set(config["versions"]) and "git" in config


def test_opened_run_has_the_best_weights(trained):
    opened = opening.open_run(trained)
    groups, _ = checkpoints.from_bytes((trained / "best.weights.h5").read_bytes())
    for variable in opened.model.variables:
        np.testing.assert_array_equal(variable.numpy(), groups["model"][variable.path])
    assert opened.experiment == tiny() and opened.workdir == trained


def test_a_flipped_bit_in_the_weights_is_refused(trained, tmp_path):
    copy = copied(trained, tmp_path)
    data = bytearray((copy / "best.weights.h5").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "best.weights.h5").write_bytes(data)
    with pytest.raises(atomic.DamagedFileError, match=r"best\.weights\.h5 is damaged"):
        opening.open_run(copy)


def test_without_best_weights_the_newest_checkpoint_is_opened(trained, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(opening.logging, "warning", lambda text, *args: said.append(text % args))
    copy = copied(trained, tmp_path)
    (copy / "best.weights.h5").unlink()
    opening.open_run(copy)
    assert "using its checkpoint after step" in said[0]


def test_a_run_that_never_trained_cannot_be_opened(begun):
    with pytest.raises(ValueError, match=r"nothing was trained yet"):
        opening.open_run(begun.path)


def test_no_run_directory(tmp_path):
    with pytest.raises(ValueError, match=r"it has no config.json"):
        opening.open_run(tmp_path)


def test_another_experiment_is_refused_by_field(begun):
    other = tiny()
    other.model.latent_dim = 3
    other.training.seed = 1
    with pytest.raises(ValueError, match=r"model.latent_dim is 4 there, 3 here; training.seed is 0 there, 1 here"):
        begun.load_data(other)


def test_another_label_draw_is_refused(begun):
    other = tiny()
    other.data.label_seed = 1
    with pytest.raises(ValueError, match=r"data.label_seed is 0 there, 1 here"):
        begun.load_data(other)


def test_only_more_epochs_are_welcome(begun):
    more = tiny()
    more.training.epochs = 5
    begun.record(more, begun.load_data(more))
    assert begun.read()[0].training.epochs == 5
    with pytest.raises(ValueError, match=r"training.epochs is 5 there, 1 here"):
        begun.load_data(tiny())


def test_an_edited_split_is_refused(begun):
    split = json.loads(begun.split.read_text())
    split["unlabelled"], split["validation"] = split["validation"], split["unlabelled"]
    begun.split.write_text(json.dumps(split))
    with pytest.raises(ValueError, match=r"is not the split this run began with"):
        begun.load_data(tiny())


def test_weights_without_a_config_are_nobodys(tmp_path):
    (tmp_path / "best.weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"has weights but no config.json"):
        RunDirectory(tmp_path).load_data(tiny())


def test_a_second_process_is_told_the_first_ones_id(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable, "-c",
            "import fcntl, os, sys; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX);"
            "f.write(str(os.getpid())); f.flush(); print('held', flush=True); sys.stdin.read()",
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match=rf"in use by process {holder.pid}"),
            RunDirectory(tmp_path).lock(),
        ):
            pass
    finally:
        holder.communicate("")
    with RunDirectory(tmp_path).lock():
        pass


def test_a_file_is_no_run_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"is a file"), RunDirectory(tmp_path / "file").lock():
        pass


def test_a_refused_start_leaves_no_directory(tmp_path):
    refused = tiny()
    refused.training.monitor = "error"
    with pytest.raises(ValueError, match=r"does not classify"):
        trainer.train(refused, tmp_path / "runs" / "vae")
    assert not list(tmp_path.iterdir())


def test_a_refused_start_leaves_what_was_there(tmp_path):
    (tmp_path / "runs").mkdir()
    refused = tiny()
    refused.data.source = "nowhere"
    with pytest.raises(ValueError, match=r"`data.source`"):
        trainer.train(refused, tmp_path / "runs" / "vae")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"] and not list((tmp_path / "runs").iterdir())


def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "copy")
