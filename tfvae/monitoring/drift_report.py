"""A page about drift: which tests found another distribution, with the histograms behind them."""

from pathlib import Path

from tfvae.monitoring import drift
from tfvae.reports import figures, pages

_UNITS = {
    "brightness": "mean gray level of an image",
    "contrast": "standard deviation of its gray levels",
    "bound": "bound on log p(x), nats",
}
_MEANINGS = {
    **_UNITS,
    "codes": "the model's codes: maximum mean discrepancy, permutation test",
    "classes": "predicted classes: Jensen–Shannon divergence, permutation test",
}


def render(found, level=0.01, anomalies=()):
    """HTML of what `drift.measure` found; nothing outside the page is needed to read it.

    Args:
        found: its answer.
        level: as of `drift.drifted`.
        anomalies: what else was found, a text for each, such as those of TensorFlow Data Validation.
    """
    tests = found["tests"]
    panels = [
        figures.two_histograms(
            test["values"]["reference"], test["values"]["new"], name.title(), _UNITS[name.partition(" ")[0]]
        )
        for name, test in tests.items()
        if test.get("values")
    ]
    rows = [
        (name, _MEANINGS[name.partition(" ")[0]], *_effect(test), test["p_value"], name in drift.drifted(found, level))
        for name, test in tests.items()
    ]
    changed = drift.drifted(found, level)
    template = pages.environment(Path(__file__).parent).get_template("drift.html.j2")
    return template.render(found=found, rows=rows, panels=panels, names=changed, level=level, anomalies=anomalies)


def _effect(test):
    """(reference, new): means where there are some, else nothing and the size of the difference."""
    if "reference_mean" in test:
        return test["reference_mean"], test["new_mean"]
    return "", test.get("mmd2", test.get("divergence"))
