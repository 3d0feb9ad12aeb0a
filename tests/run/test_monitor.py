"""The best epoch, patience, and how far a run got."""

import pytest

from tests.presets import PRESETS, model_and_batch, tiny
from tfvae.run.monitor import Monitor, begins, course


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
    found = course(records, {"epochs": 200, "monitor": "error", "patience": patience}, 0)
    assert found == (len(errors), 200, judged, ended)
    assert (found.wanting == "") == ended
    assert ended or f"interrupted: {len(errors)} of 200 epochs" in found.wanting
    assert (f"of epoch {judged}." in found.wanting) == (not ended and judged > 0)


@pytest.mark.parametrize("preset", sorted({type(tiny(preset).model): preset for preset in PRESETS}.values()))
def test_a_run_that_patience_could_not_end_is_known_as_interrupted(preset):
    """Whatever the players' stages, what is said of a run later is what ended its training, or did not."""
    model, _ = model_and_batch(preset)
    waits = begins(model, 5)
    learner = model.learner()
    first = [player.begins for player in model.players().values()] + [learner.burn_in if learner else 0]
    assert waits == -(-max(first) // 5)
    training = {"epochs": 200, "monitor": "bound", "patience": 2}
    records = [{"epoch": epoch, "val_bound": -float(epoch)} for epoch in range(1, waits + 4)]
    for num in range(1, len(records) + 1):
        monitor = Monitor("bound", 2, waits)
        for record in records[:num]:
            monitor.observe(record["epoch"], record["val_bound"])
        assert course(records[:num], training, waits).ended == monitor.exhausted
    assert course(records, training, waits).ended
    assert not waits or not course(records[: waits + 1], training, waits).ended


def test_stages_are_waited_for():
    model, _ = model_and_batch("m1m2_mnist")
    assert begins(model, 1) > 3
    records = [{"epoch": epoch, "val_error": 0.5 + epoch / 100} for epoch in (1, 2, 3, 4)]
    training = {"epochs": 200, "monitor": "error", "patience": 2}
    assert course(records, training, 0).ended and not course(records, training, begins(model, 1)).ended
