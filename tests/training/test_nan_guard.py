"""A number that is not finite stops training, and the report names where it began and why."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfvae.configs import vae_digits
from tfvae.data import mixture
from tfvae.models import vae
from tfvae.models.base import Objective
from tfvae.storage import checkpoints
from tfvae.training import callbacks, nan_guard, trainer

BAD_STEP = 13  # Of 11 steps an epoch: there is a checkpoint after step 11, and the damage is seen in the second epoch.


def tiny(**training):
    experiment = vae_digits.get_config("tiny")
    for name, value in {"figures_epochs": 0, **training}.items():
        setattr(experiment.training, name, value)
    return experiment


def spoil(monkeypatch, damage):
    """The training objective returns `damage(loss, terms, weight, now)`; `now` is true from `BAD_STEP` on."""
    objective = vae.VAE.objective

    def spoilt(self, batch, seed, training=False):
        good = objective(self, batch, seed, training)
        if not training:
            return good
        now = tf.convert_to_tensor(self.step) >= BAD_STEP
        weight = tf.reduce_sum(tf.convert_to_tensor(self.trainable_variables[0]))
        return Objective(*damage(good.loss, dict(good.terms), weight, now))

    monkeypatch.setattr(vae.VAE, "objective", spoilt)


def nan_term(loss, terms, weight, now):
    terms["kl"] *= tf.where(now, np.nan, 1.0)
    return loss + 1e-3 * tf.reduce_mean(terms["kl"]), terms


def nan_gradient(loss, terms, weight, now):
    return loss + tf.sqrt(tf.where(now, 0.0, 1.0) * (1.0 + tf.square(weight))), terms


def reported_only(loss, terms, weight, now):
    terms["log_likelihood"] -= tf.where(now, np.inf, 0.0)
    return loss, terms


@pytest.mark.parametrize(
    ("damage", "first", "cause"),
    [
        (nan_term, "term 'kl'", "a NaN: 0/0"),
        (nan_gradient, "gradient 'p_x_merge", "the loss is finite but its derivative is not"),
        (reported_only, "term 'log_likelihood'", "an infinity"),
    ],
)
def test_the_first_bad_number_is_named(tmp_path, monkeypatch, damage, first, cause):
    spoil(monkeypatch, damage)
    with pytest.raises(nan_guard.NonFiniteError, match=rf"the {first}.*of step {BAD_STEP} is not finite.*{cause}"):
        trainer.train(tiny(), tmp_path)
    report = json.loads((tmp_path / "nan_dump" / "report.json").read_text())
    assert report["step"] == BAD_STEP and report["repeated"] and report["last_checkpoint"] == 11
    assert {"p_x_params/kernel", "q_z_params/bias"} <= set(report["gradient_norms"])
    assert np.load(tmp_path / "nan_dump" / "batch.npz")["unlabelled.image"].shape == (100, 64)
    assert np.load(tmp_path / "nan_dump" / "terms.npz")["kl"].shape == (100,)
    newest = checkpoints.Checkpoints(tmp_path / "checkpoints").newest()
    assert newest.step == 11
    assert all(np.isfinite(array).all() for array in newest.values["model"].values())


def test_a_bad_input_is_the_data_s_fault(tmp_path, monkeypatch):
    observed = mixture.observed

    def spoilt(raw, transforms, entries, seed):
        factor = tf.where(tf.equal(seed[0] % 2, 0), np.nan, 1.0)
        return tf.nest.map_structure(lambda x: factor * x, observed(raw, transforms, entries, seed))

    monkeypatch.setattr(mixture, "observed", spoilt)
    with pytest.raises(nan_guard.NonFiniteError, match=r"the input 'unlabelled/image' of step .* the data itself"):
        trainer.train(tiny(), tmp_path)


def test_divergence_is_told_from_a_bad_term(tmp_path, monkeypatch):
    with pytest.raises(nan_guard.NonFiniteError, match=r"training diverged: the norm of the weights rose from"):
        trainer.train(tiny(learning_rate=1e3), tmp_path)


def test_a_fault_that_does_not_repeat_points_at_the_machine(tmp_path, monkeypatch):
    count = callbacks.Steps.on_train_batch_end

    def once(self, batch, logs=None):
        count(self, batch, {**logs, "loss": np.nan} if self.state.step == BAD_STEP else logs)

    monkeypatch.setattr(callbacks.Steps, "on_train_batch_end", once)
    with pytest.raises(nan_guard.NonFiniteError, match=r"suspect the machine"):
        trainer.train(tiny(), tmp_path)


def test_a_bad_validation_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.Validation, "_terms", lambda self: {"bound": float("nan")})
    with pytest.raises(nan_guard.NonFiniteError, match=r"'val_bound' is not finite after step 11"):
        trainer.train(tiny(), tmp_path)
    assert checkpoints.Checkpoints(tmp_path / "checkpoints").steps() == [0]
    assert not (tmp_path / "best.weights.h5").exists()
