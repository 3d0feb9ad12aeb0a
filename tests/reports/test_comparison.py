"""The model beside its rivals, in words."""

import pytest

from tfvae.evaluation import intervals
from tfvae.evaluation.measurement import measurements
from tfvae.evaluation.rivals import contest
from tfvae.reports import comparison


def _errors(ours, theirs, std=None, rows=10_000):
    metrics = {"error": ours, "baseline_svm_error": theirs, "classified_rows": rows}
    if std is not None:
        metrics["draws"] = {name: {"mean": value, "std": std, "values": [value] * 3} for name, value in metrics.items()}
    return metrics


@pytest.mark.parametrize(
    ("ours", "theirs", "std", "expected"),
    [
        (0.05, 0.10, 0.001, "SDGM makes fewer errors than the best rival"),
        (0.10, 0.05, 0.001, "SVM makes fewer errors than SDGM"),
        (0.10, 0.09, 0.05, "about equal"),
        (0.05, 0.10, None, "One draw of labels only"),
    ],
)
def test_the_verdict_is_honest(digits, ours, theirs, std, expected):
    entrants = comparison.comparison(_errors(ours, theirs, std), "SDGM", digits)
    assert expected in comparison.verdict(entrants, 1 if std is None else 3, "10,000 test images")


@pytest.mark.parametrize("rows", [12, 100, 1000, 50_000])
@pytest.mark.parametrize(("ours", "theirs"), [(0.1, 0.1), (0.1, 0.12), (0.1, 0.2), (0.1, 0.5), (0.5, 0.1)])
@pytest.mark.parametrize("std", [None, 0.001])
def test_nobody_is_better_where_the_interval_of_the_difference_holds_zero(digits, rows, ours, theirs, std):
    metrics = _errors(ours, theirs, std, rows)
    said = comparison.verdict(comparison.comparison(metrics, "SDGM", digits), 3, comparison.judged(metrics, digits))
    low, high = intervals.difference(ours, theirs, rows)
    assert ("cannot be told apart" in said) == (low <= 0 <= high)
    assert ("makes fewer errors" in said) == (not low <= 0 <= high)
    assert f"{rows:,} test images" in said or "makes fewer" in said
    assert "95\N{NO-BREAK SPACE}% interval of the difference" in said


def test_every_error_that_can_be_quoted_has_its_interval(digits):
    """Of the model and of every rival, whatever file it comes from."""
    keys = [key for each in measurements().values() for key in each.errors] + list(contest.found())
    entrants = comparison.comparison(dict.fromkeys(keys, 0.25) | {"classified_rows": 12}, "VAE", digits)
    assert len(entrants) == len(keys) > 5
    assert all(entrant.interval == intervals.wilson(3, 12) for entrant in entrants)


def test_metrics_of_version_0_1_are_compared(digits):
    """As its `metrics.json` names them."""
    metrics = {
        "svm_error": 0.3, "tsvm_error": 0.2, "baseline_mlp_error": 0.5, "baseline_svm_error": 0.4,
        "baseline_convnet_error": 0.1, "baseline_label_spreading_error": 0.6, "baseline_unlabelled_rows": 1234,
    }  # fmt: skip
    entrants = comparison.comparison(metrics, "VAE", digits)
    assert [entrant.name for entrant in entrants] == [
        "supervised convolutional network", "VAE + transductive SVM on codes", "VAE + SVM on codes", "SVM",
        "supervised network", "LabelSpreading",
    ]  # fmt: skip
    assert [entrant.ours for entrant in entrants] == [False, True, True, False, False, False]
    assert "1,234 unlabelled images" in entrants[-1].learned_from
    assert entrants[-2].learned_from == f"{len(digits.labelled)} labels"
    assert comparison.verdict(entrants[1:3], 1, "") == ""
