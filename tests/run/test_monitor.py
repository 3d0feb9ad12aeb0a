"""The best epoch, patience, and how far a run got."""

import pytest

from tfvae.run.monitor import Monitor, course


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


def test_patience_waits_until_all_have_begun():
    monitor = Monitor("error", patience=2, begins=4)
    seen = []
    for epoch, value in enumerate([0.3, 0.4, 0.4, 0.4, 0.4, 0.4], 1):
        monitor.observe(epoch, value)
        seen.append(monitor.exhausted)
    assert seen == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("errors", "patience", "ended", "judged"),
    [
        ([0.3, 0.2, 0.25], 0, False, 2),
        ([0.3, 0.2, 0.25], 2, False, 2),
        ([0.3, 0.2, 0.25, 0.2], 2, True, 4),
        ([0.5] * 200, 0, True, 200),
        ([], 3, False, 0),
    ],
)
def test_a_run_that_was_interrupted_is_known_from_one_that_ended(errors, patience, ended, judged):
    records = [{"epoch": epoch, "val_error": error} for epoch, error in enumerate(errors, 1)]
    found = course(records, {"epochs": 200, "monitor": "error", "patience": patience})
    assert found == (len(errors), 200, judged, ended)
    assert (found.wanting == "") == ended
    assert ended or f"interrupted: {len(errors)} of 200 epochs" in found.wanting
    assert (f"of epoch {judged}." in found.wanting) == (not ended and judged > 0)
