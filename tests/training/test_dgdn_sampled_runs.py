"""DGDN without a recognition model through whole runs: stopped at any sweep, started from another run, evaluated."""

import importlib
import json

import numpy as np
import pytest

from tfvae.configs import dgdn_digits, dgdn_gibbs_digits
from tfvae.evaluation import model_averaging
from tfvae.evaluation.evaluate import evaluate
from tfvae.run import opening
from tfvae.storage import checkpoints
from tfvae.training import callbacks, trainer


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


@pytest.fixture(autouse=True)
def no_pictures_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


def tiny(kind, **model):
    experiment = importlib.import_module(f"tfvae.configs.dgdn_{kind}_digits").get_config("tiny")
    experiment.data.labels_per_class = 5
    for name, value in model.items():
        setattr(experiment.model, name, value)
    return experiment


def newest(workdir):
    return checkpoints.Checkpoints(workdir / "checkpoints").newest()


@pytest.fixture(scope="module")
def gibbs(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "gibbs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        trainer.train(tiny("gibbs"), workdir)
    return workdir


@pytest.mark.parametrize("kind", ["mcem"])  # Of the three states the richest: moments of RMSprop, too.
def test_a_chain_that_is_stopped_at_any_sweep_goes_on_bit_for_bit(kind, tmp_path, monkeypatch):
    trainer.train(tiny(kind), tmp_path / "whole")
    count = callbacks.Steps.on_train_batch_end

    def killing(self, batch, logs=None):
        count(self, batch, logs)
        if self.state.step == 3:
            self.state.save()
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(callbacks.Steps, "on_train_batch_end", killing)
        trainer.train(tiny(kind), tmp_path / "killed")
    trainer.train(tiny(kind), tmp_path / "killed")
    whole, killed = newest(tmp_path / "whole").values, newest(tmp_path / "killed").values
    assert set(whole["chain"]) == set(killed["chain"])
    for group in ("chain", "model"):
        for name, value in whole[group].items():
            np.testing.assert_array_equal(value, killed[group][name], err_msg=name)


def test_a_run_says_how_far_its_maps_move_and_keeps_draws(gibbs):
    line = json.loads((gibbs / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"squared_error", "noise_precision", "moved_1", "val_bound", "val_error"} <= set(line)
    assert 0.0 < line["moved_1"] <= 1.0
    draws = dict(opening.kept_draws(gibbs))
    assert list(draws) == [3, 4], "after 2 sweeps of burn-in every one, of 4"
    assert set(draws[4]) == {"dictionary1", "dictionary2", "noise_precision", "beta", "kappa"}
    mean = np.mean([draw["dictionary1"] for draw in draws.values()], axis=0)
    np.testing.assert_allclose(newest(gibbs).values["model"]["dictionary1/dictionary"], mean, rtol=1e-3, atol=1e-5)


def test_a_run_is_evaluated(gibbs):
    run = opening.open_run(gibbs)
    results = evaluate(run.model, run.data, rows=run.data.test, rows_limit=20, iw_samples=2)
    assert np.isfinite(results["bound"]) and 0.0 <= results["error"] <= 1.0


def test_predictions_are_averaged_over_kept_draws(gibbs):
    run = opening.open_run(gibbs)
    before, rows = run.model.read(), run.data.test.take(np.arange(7))
    draws = dict(opening.kept_draws(gibbs))
    each = [model_averaging.decision_values(run.model, run.data, rows, [item]) for item in draws.items()]
    together = model_averaging.decision_values(run.model, run.data, rows, draws.items())
    assert np.abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(run.model.read().dictionaries[0], before.dictionaries[0])
    with pytest.raises(ValueError, match="kept no draws"):
        model_averaging.decision_values(run.model, run.data, rows, [])


def test_each_model_starts_from_the_dictionary_of_the_other(gibbs, tmp_path):
    experiment = dgdn_digits.get_config("tiny")
    experiment.model.network = tiny("gibbs").model.network
    experiment.training.figures_epochs, experiment.training.start_from = 0, str(gibbs)
    experiment.training.learning_rate = 1e-9
    trainer.train(experiment, tmp_path / "recognition")
    of_gibbs, recognition = (opening.open_run(workdir).model.deconvnet for workdir in (gibbs, tmp_path / "recognition"))
    for ours, its in zip(of_gibbs.dictionaries, recognition.dictionaries):
        np.testing.assert_allclose(ours.dictionary, its.dictionary, atol=1e-5)
    again = tiny("gibbs")
    again.training.start_from = str(tmp_path / "recognition")
    trainer.train(again, tmp_path / "again")
    first = checkpoints.Checkpoints(tmp_path / "again" / "checkpoints").read(0).values["chain"]
    np.testing.assert_allclose(first["shared/dictionaries/0"], recognition.dictionaries[0].dictionary, atol=1e-6)


def test_batches_that_are_not_all_the_data_are_refused(tmp_path):
    experiment = dgdn_gibbs_digits.get_config("tiny")
    experiment.data.labelled_batch = 10
    with pytest.raises(ValueError, match="A Gibbs sweep is over all"):
        trainer.train(experiment, tmp_path / "run")
