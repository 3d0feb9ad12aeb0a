"""Runs of two players: what is written down of both, and that a killed one ends where the uninterrupted one does."""

import pytest

from tests.presets import tiny
from tests.training.test_trainer import Killed, assert_same_end, at_step, kill
from tfvae.storage.metrics_log import MetricsLog
from tfvae.training import trainer


@pytest.fixture(autouse=True)
def no_pictures_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


def experiment(**training):
    chosen = tiny("asvae_digits")
    for name, value in training.items():
        setattr(chosen.training, name, value)
    return chosen


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        trainer.train(experiment(), workdir)
    return workdir


def test_killed_within_an_epoch_both_players_end_where_they_would_have(tmp_path):
    """Bit for bit, of one pair of runs of three: on a busy machine one run in fourteen, killed or not, takes a sum
    in another order in its first epoch. State that a killed run loses would part all three pairs.
    """
    for attempt in range(3):
        whole, killed = tmp_path / f"whole{attempt}", tmp_path / f"killed{attempt}"
        trainer.train(experiment(), whole)
        with pytest.MonkeyPatch.context() as patch:
            at_step(patch, 14, kill)
            with pytest.raises(Killed):
                trainer.train(experiment(), killed)
        trainer.train(experiment(), killed)
        try:
            return assert_same_end(killed, whole)
        except AssertionError:
            if attempt == 2:
                raise


def test_losses_norms_and_what_tells_of_a_collapse_are_written_down(uninterrupted):
    line = MetricsLog(uninterrupted / "metrics.jsonl").lines()[-1]
    expected = {
        "loss_critic", "loss_model", "gradient_norm_critic", "gradient_norm_model", "f1_error", "f2_saturation",
        "train_bound", "val_bound", "val_reconstruction_error", "val_sample_distance", "val_code_square",
    }  # fmt: skip
    assert expected <= set(line)


def test_a_model_without_a_bound_is_chosen_by_its_samples(tmp_path):
    chosen = tiny("dcgan_mnist")
    chosen.data = experiment().data
    chosen.data.transform.flatten = False
    best = trainer.train(chosen, tmp_path / "run")
    assert best[f"best_{chosen.training.monitor}"] == best[f"val_{chosen.training.monitor}"]


@pytest.mark.parametrize(
    ("preset", "monitor"), [("vae_digits", "sample_distance"), ("dcgan_mnist", "bound"), ("dcgan_mnist", "error")]
)
def test_a_metric_that_a_model_does_not_have_chooses_nothing(preset, monitor, tmp_path):
    chosen = tiny(preset)
    chosen.data, chosen.training.monitor = experiment().data, monitor
    chosen.data.transform.flatten = preset == "vae_digits"
    with pytest.raises(ValueError, match=r"training\.monitor"):
        trainer.train(chosen, tmp_path / "run")
