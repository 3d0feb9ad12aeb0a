"""The model beside its rivals, in words."""

import pytest

from tfvae.reports import comparison


def _errors(ours, theirs, std=None):
    metrics = {"error": ours, "baseline_svm_error": theirs}
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
    assert expected in comparison.verdict(entrants, 1 if std is None else 3)


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
    assert "1,234 unlabelled rows" in entrants[-1].learned_from
    assert entrants[-2].learned_from == f"{len(digits.labelled)} labels"
    assert comparison.verdict(entrants[1:3], 1) == ""
