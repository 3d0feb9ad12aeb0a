"""A run that is stopped anywhere and started again ends where the uninterrupted one does, bit for bit."""

import json
import os
import re
import shutil
import signal

import keras
import numpy as np
import pytest

from tfvae.configs import sdgm_digits, vae_digits
from tfvae.storage import checkpoints
from tfvae.training import callbacks, trainer

EPOCHS = 2


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


@pytest.fixture(autouse=True)
def no_pictures_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


def tiny(**training):
    experiment = vae_digits.get_config("tiny")
    for name, value in {"epochs": EPOCHS, "figures_epochs": 0, **training}.items():
        setattr(experiment.training, name, value)
    return experiment


def final_state(workdir):
    """All variables of the newest checkpoint, the best weights, and the metrics without their seconds."""
    checkpoint = checkpoints.Checkpoints(workdir / "checkpoints").newest()
    best, _ = checkpoints.from_bytes((workdir / "best.weights.h5").read_bytes())
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"]
    return checkpoint.step, checkpoint.values, best, lines


def assert_same_end(workdir, other):
    step, values, best, lines = final_state(workdir)
    other_step, other_values, other_best, other_lines = final_state(other)
    assert step == other_step
    assert lines == other_lines
    for groups, other_groups in ((values, other_values), (best, other_best)):
        for group in ("model", "optimiser"):
            assert set(groups.get(group, ())) == set(other_groups.get(group, ()))
            for path, array in groups.get(group, {}).items():
                np.testing.assert_array_equal(array, other_groups[group][path], err_msg=path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        trainer.train(tiny(), workdir)
    return workdir


def at_step(monkeypatch, step, act):
    """Calls `act` once, when that many steps are done and before anything is made of it."""
    count = callbacks.Steps.on_train_batch_end
    acted = []

    def watched(self, batch, logs=None):
        if self.state.step + 1 == step and not acted:
            acted.append(step)
            act()
        count(self, batch, logs)

    monkeypatch.setattr(callbacks.Steps, "on_train_batch_end", watched)


def kill():
    raise Killed


# Renames in their order: split, config, 3 of the first checkpoint; then an epoch each: 1 of metrics, 3 of the best
# weights where they are better, 3 of the checkpoint.
@pytest.mark.parametrize("fatal", [2, 8, 12])
def test_killed_between_two_files(tmp_path, uninterrupted, monkeypatch, fatal):
    rename, renames = os.replace, []

    def killing(source, target):
        renames.append(target)
        if len(renames) == fatal:
            raise Killed
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killing)
        with pytest.raises(Killed):
            trainer.train(tiny(), tmp_path)
    trainer.train(tiny(), tmp_path)
    assert_same_end(tmp_path, uninterrupted)


def test_killed_within_an_epoch(tmp_path, uninterrupted, monkeypatch):
    at_step(monkeypatch, 15, kill)
    with pytest.raises(Killed):
        trainer.train(tiny(), tmp_path)
    trainer.train(tiny(), tmp_path)
    assert_same_end(tmp_path, uninterrupted)


@pytest.mark.parametrize(("step", "number", "code"), [(5, signal.SIGTERM, 143), (11, signal.SIGINT, 130)])
def test_a_signal_saves_at_the_step_boundary(tmp_path, uninterrupted, monkeypatch, step, number, code):
    at_step(monkeypatch, step, lambda: os.kill(os.getpid(), number))
    handler = signal.getsignal(number)
    with pytest.raises(SystemExit) as exit_info:
        trainer.train(tiny(), tmp_path)
    assert exit_info.value.code == code
    assert checkpoints.Checkpoints(tmp_path / "checkpoints").steps()[-1] == step
    assert signal.getsignal(number) is handler
    trainer.train(tiny(), tmp_path)
    assert_same_end(tmp_path, uninterrupted)


def test_damaged_checkpoint_costs_an_epoch_and_no_more(tmp_path, uninterrupted):
    workdir = shutil.copytree(uninterrupted, tmp_path / "run")
    newest = checkpoints.Checkpoints(workdir / "checkpoints").path(22)
    newest.write_bytes(newest.read_bytes()[:-1])
    trainer.train(tiny(), workdir)
    assert_same_end(workdir, uninterrupted)
    assert newest.with_suffix(".h5.damaged").exists()


def test_more_epochs_end_where_a_longer_run_does(tmp_path, uninterrupted):
    trainer.train(tiny(epochs=1), tmp_path)
    line = trainer.train(tiny(), tmp_path)
    assert_same_end(tmp_path, uninterrupted)
    assert line["epoch"] == 2 and line["best_epoch"] in (1, 2) and line["best_bound"] >= line["val_bound"]


def test_progress_is_a_few_lines_on_standard_error(tmp_path, capsys):
    trainer.train(tiny(), tmp_path)
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line.startswith("epoch ")]
    log = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert 1 <= len(lines) <= 2 + sum(json.loads(line)["seconds"] for line in log) // 10
    assert re.fullmatch(r"epoch 2 of 2: val_bound .*\d.nats \(best .*\d.nats, epoch [12]\)", lines[-1])


def test_a_finished_run_is_not_trained_again(tmp_path, uninterrupted, monkeypatch):
    monkeypatch.setattr(callbacks.Steps, "on_train_batch_end", lambda *args: kill())
    before = final_state(uninterrupted)[0]
    assert trainer.train(tiny(), uninterrupted)["epoch"] == EPOCHS
    assert final_state(uninterrupted)[0] == before


def test_patience_stops_and_stays_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.Validation, "_terms", lambda self: {"bound": 0.0})
    line = trainer.train(tiny(epochs=9, patience=1), tmp_path)
    assert (line["epoch"], line["best_epoch"]) == (2, 2), "a tie goes to the later epoch"
    assert trainer.train(tiny(epochs=9, patience=1), tmp_path)["epoch"] == 2


def test_sparse_checkpoints_resume_from_the_last_one(tmp_path, monkeypatch):
    at_step(monkeypatch, 15, kill)
    with pytest.raises(Killed):
        trainer.train(tiny(checkpoint_epochs=2), tmp_path)
    assert checkpoints.Checkpoints(tmp_path / "checkpoints").steps() == [0]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_steps_in_one_call_are_the_same_steps(tmp_path, uninterrupted):
    trainer.train(tiny(steps_per_execution=11), tmp_path)
    assert_same_end(tmp_path, uninterrupted)


def test_validation_more_often_than_once_a_pass_changes_nothing_but_the_lines(tmp_path):
    passes, short = (
        (trainer.train(tiny(epochs=22 // steps, steps_per_epoch=steps), tmp_path / str(steps)), tmp_path / str(steps))
        for steps in (11, 2)
    )
    assert (passes[0]["step"], short[0]["step"]) == (22, 22)
    (_, values, _, lines), (_, others, _, more) = final_state(passes[1]), final_state(short[1])
    assert [line["step"] for line in more] == list(range(2, 23, 2)) and len(lines) == 2
    for path, array in values["model"].items():
        np.testing.assert_array_equal(array, others["model"][path], err_msg=path)
    assert lines[-1]["val_bound"] == more[-1]["val_bound"]


def test_an_epoch_is_rounded_up_to_whole_calls(tmp_path):
    assert trainer.train(tiny(epochs=1, steps_per_execution=4), tmp_path)["step"] == 12


def test_mixed_precision_trains_and_resumes(tmp_path):
    settings = {"precision": "mixed_float16", "clip_norm": 5.0, "decay_factor": 0.5, "decay_epochs": 1}
    trainer.train(tiny(**settings), tmp_path / "whole")
    trainer.train(tiny(**{**settings, "epochs": 1}), tmp_path / "twice")
    line = trainer.train(tiny(**settings), tmp_path / "twice")
    assert_same_end(tmp_path / "whole", tmp_path / "twice")
    np.testing.assert_allclose(line["learning_rate"], 0.25e-3, rtol=1e-5)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("section", "change", "told"),
    [
        ("training", {"monitor": "error"}, "VAE does not classify: set `training.monitor=bound`"),
        ("training", {"monitor": "loss"}, "`training.monitor` must be one of"),
        ("training", {"epochs": 0}, "`training.epochs` must be an integer in .*, got 0"),
        ("training", {"keep_checkpoints": 2}, r"`training.keep_checkpoints` must be an integer in \[3, .*, got 2"),
        ("training", {"learning_rate": float("nan")}, "`training.learning_rate` must be a number in .*, got nan"),
        ("training", {"num_replicas": 7}, "needs as many devices, but TensorFlow sees"),
        ("data", {"num_validation": 0}, "There are no validation rows"),
    ],
)
def test_what_cannot_be_trained_is_told(tmp_path, section, change, told):
    experiment = tiny()
    for name, value in change.items():
        setattr(getattr(experiment, section), name, value)
    with pytest.raises(ValueError, match=told):
        trainer.train(experiment, tmp_path)
    assert not (tmp_path / "config.json").exists()  # So that the corrected command is no other run.


def test_a_classifier_is_chosen_by_its_validation_error(tmp_path):
    experiment = sdgm_digits.get_config("tiny")
    experiment.training.epochs = 1
    experiment.training.figures_epochs = 0
    line = trainer.train(experiment, tmp_path)
    assert 0 <= line["val_error"] <= 1 and line["best_error"] == line["val_error"]
    assert {"val_bound", "val_labelled_bound", "val_loss", "labelled_bound"} <= set(line)
