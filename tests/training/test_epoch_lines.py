"""What is told of an epoch."""

import types

import pytest

from tfvae.run.monitor import Monitor
from tfvae.training.epoch_lines import EpochLines


@pytest.mark.parametrize(
    ("name", "value", "rows", "expected"),
    [
        ("error", 0.5, 28, "val_error 50.0 % (best 50.0 %, 95 % interval 32.6 % to 67.4 %, epoch 3)"),
        ("error", 0.5, 0, "val_error 50.0 % (best 50.0 %, epoch 3)"),
        ("bound", -80.0, 28, "val_bound −80.00 nats (best −80.00 nats, epoch 3)"),
    ],
)
def test_the_best_error_is_told_with_its_interval(name, value, rows, expected):
    monitor = Monitor(name)
    monitor.observe(3, value)
    state = types.SimpleNamespace(monitor=monitor, epoch=2)
    settings = types.SimpleNamespace(epochs=3, patience=0)
    said = EpochLines(state, settings, rows=rows)._after(3, {monitor.key: value})
    assert said.replace("\N{NO-BREAK SPACE}", " ") == f"epoch 3 of 3: {expected}"
