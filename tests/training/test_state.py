"""The best epoch, patience, and the lines of metrics.jsonl."""

import pytest

from tfvae.storage.metrics_log import MetricsLog
from tfvae.training.state import Monitor


@pytest.mark.parametrize(("name", "values", "best"), [("error", [0.3, 0.1, 0.2], 2), ("bound", [-90, -95, -80], 3)])
def test_an_error_falls_and_a_bound_rises(name, values, best):
    monitor = Monitor(name)
    better = [monitor.observe(epoch, value) for epoch, value in enumerate(values, 1)]
    assert monitor.best_epoch == best and monitor.best == values[best - 1]
    assert better[0] and not monitor.exhausted


def test_a_tie_goes_to_the_later_epoch_but_does_not_feed_patience():
    monitor = Monitor("error", patience=2)
    assert [monitor.observe(epoch, 0.1) for epoch in (1, 2, 3)] == [True, True, True]
    assert monitor.best_epoch == 3
    assert monitor.exhausted


def test_patience_counts_epochs_without_a_better_value():
    monitor = Monitor("error", patience=2)
    seen = []
    for epoch, value in enumerate([0.3, 0.2, 0.2, 0.25], 1):
        monitor.observe(epoch, value)
        seen.append(monitor.exhausted)
    assert seen == [False, False, False, True]


def test_a_half_line_is_dropped(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"epoch": 1, "loss": 2.0})
    with open(log.path, "a") as file:
        file.write('{"epoch": 2, "lo')
    assert log.lines() == [{"epoch": 1, "loss": 2.0}]
    log.append({"epoch": 2, "loss": 1.0})
    assert [line["epoch"] for line in log.lines()] == [1, 2]


def test_truncation_keeps_the_epochs_of_the_checkpoint(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch})
    assert log.truncate(2) == [{"epoch": 1}, {"epoch": 2}] == log.lines()
    with pytest.raises(ValueError, match=r"lacks lines of the 3 epochs"):
        log.truncate(3)
