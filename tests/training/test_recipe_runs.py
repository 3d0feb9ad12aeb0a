"""Runs of the recipes of players, a chain and two images: killed anywhere they end where the uninterrupted ones do."""

import json
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from tests.docs import recipes
from tests.presets import tiny
from tests.training.test_trainer import Killed, assert_same_end, at_step, final_state, kill
from tfvae.models.base import Objective
from tfvae.run import opening
from tfvae.storage import atomic, checkpoints
from tfvae.training import nan_guard, trainer

PRESETS = {"players": "wake_sleep_digits", "chains": "factor_mean_toy", "two_images": "joint_vae_halves"}


@pytest.fixture(scope="module", autouse=True)
def overlaid(tmp_path_factory):
    with (
        recipes.overlay(recipes.RECIPES / "players.md", tmp_path_factory.mktemp("players")),
        recipes.overlay(recipes.RECIPES / "chains.md", tmp_path_factory.mktemp("chains")),
        recipes.overlay(recipes.RECIPES / "two_images.md", tmp_path_factory.mktemp("two_images")),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(trainer, "_finish", lambda *args: None)
        yield


@pytest.fixture(scope="module", params=PRESETS)
def recipe(request):
    return request.param


def experiment_of(recipe, **training):
    experiment = tiny(PRESETS[recipe])
    experiment.training.epochs = 2
    for name, value in training.items():
        setattr(experiment.training, name, value)
    return experiment


@pytest.fixture(scope="module")
def uninterrupted(recipe, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / recipe
    trainer.train(experiment_of(recipe), workdir)
    return workdir


def assert_same_chain(workdir, other):
    """What a chain has besides: its state, and the draws that it keeps."""
    states = [
        checkpoints.Checkpoints(folder / "checkpoints").newest().values.get("chain", {}) for folder in (workdir, other)
    ]
    assert set(states[0]) == set(states[1])
    for path, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][path], err_msg=path)
    draws = [dict(opening.kept_draws(folder)) for folder in (workdir, other)]
    assert set(draws[0]) == set(draws[1])
    for step, draw in draws[0].items():
        for name, array in draw.items():
            np.testing.assert_array_equal(array, draws[1][step][name])


@pytest.mark.parametrize("step", [5, 15])
def test_killed_within_an_epoch(tmp_path, recipe, uninterrupted, monkeypatch, step):
    at_step(monkeypatch, step, kill)
    with pytest.raises(Killed):
        trainer.train(experiment_of(recipe), tmp_path)
    trainer.train(experiment_of(recipe), tmp_path)
    assert_same_end(tmp_path, uninterrupted)
    assert_same_chain(tmp_path, uninterrupted)


def test_a_signal_saves_at_the_step_boundary(tmp_path, recipe, uninterrupted, monkeypatch):
    at_step(monkeypatch, 14, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        trainer.train(experiment_of(recipe), tmp_path)
    assert checkpoints.Checkpoints(tmp_path / "checkpoints").steps()[-1] == 14
    trainer.train(experiment_of(recipe), tmp_path)
    assert_same_end(tmp_path, uninterrupted)
    assert_same_chain(tmp_path, uninterrupted)


def test_more_epochs_end_where_a_longer_run_does(tmp_path, recipe, uninterrupted):
    trainer.train(experiment_of(recipe, epochs=1), tmp_path)
    trainer.train(experiment_of(recipe), tmp_path)
    assert_same_end(tmp_path, uninterrupted)
    assert_same_chain(tmp_path, uninterrupted)


@pytest.mark.parametrize("recipe", ["players"], indirect=True)
def test_every_optimiser_is_saved_by_its_player(recipe, uninterrupted):
    saved = checkpoints.Checkpoints(uninterrupted / "checkpoints").newest().values["optimiser"]
    assert int(saved["wake/adam/iteration"]) == 22 and int(saved["sleep/adam/iteration"]) == 44
    of_sleep = {path: array for path, array in saved.items() if path.startswith("sleep/") and "q_z" in path}
    assert any(np.abs(array).max() > 0 for array in of_sleep.values())
    assert not [path for path in saved if path.startswith("sleep/") and "p_x" in path]
    line = json.loads((uninterrupted / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["learning_rate_wake"] == pytest.approx(1e-3) and line["learning_rate_sleep"] == pytest.approx(5e-4)
    assert {"loss_wake", "loss_sleep", "log_likelihood", "dream_log_prob", "val_bound"} <= set(line)


@pytest.mark.parametrize("recipe", ["players"], indirect=True)
def test_a_lost_optimiser_is_told(tmp_path, recipe, uninterrupted):
    """A checkpoint without the second player's moments is refused rather than resumed with fresh ones."""
    trainer.train(experiment_of(recipe, epochs=1), tmp_path)
    kept = checkpoints.Checkpoints(tmp_path / "checkpoints")
    step, values = kept.newest()
    values["optimiser"] = {path: array for path, array in values["optimiser"].items() if path.startswith("wake/")}
    kept.save(step, values)
    with pytest.raises(ValueError, match=r"does not fit this model \(missing: sleep/adam/iteration"):
        trainer.train(experiment_of(recipe), tmp_path)


@pytest.mark.parametrize("recipe", ["players"], indirect=True)
@pytest.mark.parametrize(
    "training",
    [
        {"precision": "mixed_float16", "clip_norm": 5.0, "decay": "cosine"},
        {"optimiser": "rmsprop", "decay": "exponential", "decay_factor": 0.5, "decay_epochs": 1},
        {"optimiser": "sgd", "learning_rate": 1e-4, "steps_per_execution": 11},
    ],
    ids=["float16", "rmsprop", "sgd"],
)
def test_players_resume_with_every_optimiser(tmp_path, recipe, monkeypatch, training):
    trainer.train(experiment_of(recipe, **training), tmp_path / "whole")
    with monkeypatch.context() as patch:
        if "steps_per_execution" not in training:
            at_step(patch, 15, kill)
            with pytest.raises(Killed):
                trainer.train(experiment_of(recipe, **training), tmp_path / "killed")
        else:
            trainer.train(experiment_of(recipe, **{**training, "epochs": 1}), tmp_path / "killed")
    trainer.train(experiment_of(recipe, **training), tmp_path / "killed")
    assert_same_end(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("recipe", ["players"], indirect=True)
def test_a_decay_to_the_last_epoch_cannot_be_led_to_a_later_one(tmp_path, recipe):
    trainer.train(experiment_of(recipe, epochs=1, decay="linear"), tmp_path)
    with pytest.raises(ValueError, match="not where a linear or cosine decay leads to the last epoch"):
        trainer.train(experiment_of(recipe, decay="linear"), tmp_path)


@pytest.mark.parametrize("recipe", ["players"], indirect=True)
def test_a_nan_of_the_second_player_is_named(tmp_path, recipe, monkeypatch):
    from tfvae.models import wake_sleep

    sleep = wake_sleep.WakeSleep.sleep

    def spoilt(self, batch, seed):
        loss, terms = sleep(self, batch, seed)
        weight = tf.reduce_sum(tf.convert_to_tensor(self.q_z_given_x.trainable_variables[0]))
        good = tf.where(tf.convert_to_tensor(self.step) >= 13, 0.0, 1.0)
        return Objective(loss + tf.sqrt(good * (1.0 + weight**2)), terms)

    monkeypatch.setattr(wake_sleep.WakeSleep, "sleep", spoilt)
    with pytest.raises(
        nan_guard.NonFiniteError, match=r"the gradient 'q_z_.*' of the player 'sleep' of step 13 is not"
    ):
        trainer.train(experiment_of(recipe), tmp_path)
    report = json.loads((tmp_path / "nan_dump" / "report.json").read_text())
    assert report["player"] == "sleep" and report["step"] == 13 and report["repeated"]
    assert {"loss_wake", "loss_sleep", "gradient_norm"} <= set(report["history"][0])
    assert "`training.players.sleep.learning_rate`" not in report["likely_cause"]
    assert all("q_z" in path for path in report["gradient_norms"])


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_a_chain_is_evaluated_at_its_posterior_mean(recipe, uninterrupted):
    newest = checkpoints.Checkpoints(uninterrupted / "checkpoints").newest()
    run = opening.open_run(uninterrupted)
    draws = dict(opening.kept_draws(uninterrupted))
    assert list(draws) == [20], "after 10 steps of burn-in every tenth, of 22"
    np.testing.assert_array_equal(newest.values["model"]["factor/mu"], newest.values["chain"]["mean"])
    exact = run.data.train.image.mean(axis=0)
    np.testing.assert_allclose(run.model.mu, exact, atol=0.1)
    assert int(newest.values["chain"]["steps"]) == 22 == int(newest.values["clock"]["step"])
    line = json.loads((uninterrupted / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["seen"] == pytest.approx(1.0) and "learning_rate" not in line and "val_bound" in line
    assert (uninterrupted / "tensorboard").is_dir()


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_a_damaged_draw_is_not_read(tmp_path, recipe, uninterrupted):
    trainer.train(experiment_of(recipe), tmp_path)
    path = tmp_path / "draws" / "step-000000020.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(atomic.DamagedFileError):
        dict(opening.kept_draws(tmp_path))


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_draws_of_later_steps_are_drawn_again(tmp_path, recipe, uninterrupted):
    trainer.train(experiment_of(recipe), tmp_path)
    kept = checkpoints.Checkpoints(tmp_path / "checkpoints")
    newest = kept.path(22)
    newest.write_bytes(newest.read_bytes()[:-1])
    draws = checkpoints.Checkpoints(tmp_path / "draws", keep=100)
    draws.save(20, {"draw": {"mu": np.zeros(2)}})
    trainer.train(experiment_of(recipe), tmp_path)
    assert_same_chain(tmp_path, uninterrupted)


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_a_nan_of_a_chain_is_named(tmp_path, recipe, monkeypatch):
    from tfvae.models import factor_mean

    step = factor_mean.Gibbs.step

    def spoilt(self, state, batch, seed):
        after = step(self, state, batch, seed)
        return after._replace(mu=after.mu * tf.where(after.steps == 14, np.nan, 1.0))

    monkeypatch.setattr(factor_mean.Gibbs, "step", spoilt)
    with pytest.raises(nan_guard.NonFiniteError, match=r"the term 'state/mu' of step 13 is not finite.*a NaN: 0/0"):
        trainer.train(experiment_of(recipe), tmp_path)
    report = json.loads((tmp_path / "nan_dump" / "report.json").read_text())
    assert report["repeated"] and report["last_checkpoint"] == 11


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_a_chain_does_a_step_at_a_time(tmp_path, recipe):
    with pytest.raises(ValueError, match="A chain runs on one device, a step at a time"):
        trainer.train(experiment_of(recipe, steps_per_execution=2), tmp_path)


@pytest.mark.parametrize("recipe", ["chains"], indirect=True)
def test_patience_waits_for_the_burn_in(tmp_path, recipe):
    from tfvae.training import callbacks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.Validation, "_terms", lambda self: {"bound": 0.0})
        experiment = experiment_of(recipe, epochs=9, patience=1)
        experiment.model.burn_in = 30  # Of 11 steps an epoch: into the third.
        assert trainer.train(experiment, tmp_path)["epoch"] == 4


def test_a_finished_run_is_not_trained_again(recipe, uninterrupted, monkeypatch):
    before = final_state(uninterrupted)[0]
    monkeypatch.setattr(nan_guard.NanGuard, "training", lambda *args: kill())
    trainer.train(experiment_of(recipe), uninterrupted)
    assert final_state(uninterrupted)[0] == before
