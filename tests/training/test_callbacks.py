"""Own callbacks of Keras: what they see, what becomes of what they say, and that a run with them goes on."""

import json

import keras
import pytest

import tfvae
from tfvae.training import trainer


class Watcher(keras.callbacks.Callback):
    """Remembers what it was called for, says a number, and stops where it is told to."""

    def __init__(self, last=None):
        super().__init__()
        self.epochs, self.logs, self.last = [], {}, last

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.logs = dict(logs)
        logs["own"] = 10.0 + epoch
        assert self.model.can("encode")
        if epoch == self.last:
            self.model.stop_training = True


@pytest.fixture(autouse=True)
def nothing_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


def experiment(epochs):
    experiment = tfvae.preset("vae_digits", "tiny")
    experiment.training.epochs, experiment.training.figures_epochs = epochs, 0
    return experiment


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_they_are_called_every_epoch_see_validation_and_are_written_down_when_a_run_goes_on_too(tmp_path):
    first, second = Watcher(), Watcher()
    tfvae.train(experiment(2), tmp_path / "own", callbacks=[first])
    assert first.epochs == [0, 1] and {"loss", "val_loss", "val_bound"} <= set(first.logs)
    tfvae.train(experiment(3), tmp_path / "own", callbacks=[second])
    assert second.epochs == [2]
    assert [line["own"] for line in lines(tmp_path / "own")] == [10.0, 11.0, 12.0]


def test_a_run_with_them_is_the_run_without_them(tmp_path):
    for name, own in {"plain": [], "own": [Watcher()]}.items():
        trainer.train(experiment(2), tmp_path / name, callbacks=own)
    plain, own = (lines(tmp_path / name) for name in ("plain", "own"))
    kept = [{key: value for key, value in line.items() if key not in ("own", "seconds")} for line in own]
    assert kept == [{key: value for key, value in line.items() if key != "seconds"} for line in plain]


def test_they_may_stop_a_run_which_can_go_on_later(tmp_path):
    trainer.train(experiment(4), tmp_path / "run", callbacks=[Watcher(last=1)])
    assert [line["epoch"] for line in lines(tmp_path / "run")] == [1, 2]
    trainer.train(experiment(4), tmp_path / "run")
    assert [line["epoch"] for line in lines(tmp_path / "run")] == [1, 2, 3, 4]


def test_what_keras_would_not_call_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match="LambdaCallback"):
        trainer.train(experiment(1), tmp_path / "run", callbacks=[print])
    assert not (tmp_path / "run").exists()
