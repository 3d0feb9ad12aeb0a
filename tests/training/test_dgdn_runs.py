"""DGDN through whole runs: stopped and resumed, started from another run, measured."""

import numpy as np
import pytest

from tfvae.configs import dgdn_digits
from tfvae.evaluation.evaluate import evaluate
from tfvae.run import opening
from tfvae.storage import checkpoints
from tfvae.training import callbacks, trainer


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


@pytest.fixture(autouse=True)
def no_pictures_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


def tiny(**model):
    experiment = dgdn_digits.get_config("tiny")
    experiment.data.label_seed, experiment.training.figures_epochs = 0, 0
    for name, value in model.items():
        setattr(experiment.model, name, value)
    return experiment


@pytest.fixture(scope="module")
def images_alone(tmp_path_factory):
    """A run of the image model without labels, ξ = 0."""
    workdir = tmp_path_factory.mktemp("runs") / "images"
    experiment = tiny(label_weight=0.0)
    experiment.training.monitor = "bound"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        trainer.train(experiment, workdir)
    return workdir


def newest(workdir):
    return checkpoints.Checkpoints(workdir / "checkpoints").newest()


def test_running_statistics_of_the_estimator_survive_a_kill(tmp_path, monkeypatch):
    experiment = tiny(map_gradient="nvil")
    trainer.train(experiment, tmp_path / "whole")
    count = callbacks.Steps.on_train_batch_end

    def killing(self, batch, logs=None):
        count(self, batch, logs)
        if self.state.step == 20:
            self.state.save()
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(callbacks.Steps, "on_train_batch_end", killing)
        trainer.train(tiny(map_gradient="nvil"), tmp_path / "killed")
    trainer.train(tiny(map_gradient="nvil"), tmp_path / "killed")
    whole, resumed = (newest(tmp_path / name).values["model"] for name in ("whole", "killed"))
    assert set(whole) == set(resumed) and any("mean" in path for path in whole)
    for path, array in whole.items():
        np.testing.assert_array_equal(array, resumed[path], err_msg=path)


def test_two_steps_train_a_head_on_codes_that_stay_as_they_are(images_alone, tmp_path):
    """The two-step baseline; transfer is the same with other data."""
    experiment = tiny(freeze_image_model=True)
    experiment.training.start_from = str(images_alone)
    trainer.train(experiment, tmp_path)
    before, after = opening.open_run(images_alone).model, opening.open_run(tmp_path).model
    for old, new in zip(before.transferable_variables(), after.transferable_variables(), strict=True):
        np.testing.assert_array_equal(old, new, err_msg=old.path)
    first = newest(tmp_path).values["model"]["label_svm/beta"]
    assert np.abs(first).max() > 0


def test_a_start_from_nothing_is_refused(tmp_path):
    experiment = tiny(freeze_image_model=True)
    (tmp_path / "nothing").mkdir()
    experiment.training.start_from = str(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"has no best.weights.h5: train a run there first"):
        trainer.train(experiment, tmp_path / "run")


def test_a_start_from_another_size_says_which_weights_do_not_fit(images_alone, tmp_path):
    experiment = tiny(freeze_image_model=True)
    experiment.model.network.elements = (3, 7)
    experiment.training.start_from = str(images_alone)
    with pytest.raises(ValueError, match=r"of another shape: code/b_hidden is \(4, 16\) there, \(7, 16\) here"):
        trainer.train(experiment, tmp_path)


def test_codes_of_images_alone_go_to_a_transductive_machine(images_alone):
    opened = opening.open_run(images_alone)
    measured = evaluate(opened.model, opened.data, opened.data.test.take(np.arange(100)), iw_samples=5)
    assert 0 < measured["tsvm_error"] < 0.95 and "error" not in measured
    assert measured["iw_bound"] >= measured["bound"] - 1.0
