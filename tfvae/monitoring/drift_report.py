"""A page about drift: which tests found another distribution, with the histograms behind them."""

from pathlib import Path

from tfvae.monitoring import drift
from tfvae.reports import code_figures, figures, pages

_UNITS = {
    "brightness": "mean gray level of an image",
    "contrast": "standard deviation of its gray levels",
    "bound": "bound on log p(x), nats",
    "energy": "energy: how badly the model explains an image",
}
_MEANINGS = {
    **_UNITS,
    "codes": "the model's codes: maximum mean discrepancy, permutation test",
    "tags": "probabilities of the tags: maximum mean discrepancy, permutation test",
    "clusters": "clusters: Jensen–Shannon divergence, permutation test",
    "classes": "predicted classes: Jensen–Shannon divergence, permutation test",
}
# What is compared as points, and as shares: kind -> what to see in its picture; name -> (title, one of them).
_CLOUDS = {
    "codes": "Where new codes lie outside those of the training data, the model is guessing.",
    "tags": "The probabilities of all tags of each image, in two dimensions.",
}
_SHARES = {"classes": ("Predicted classes", "class"), "clusters": ("Clusters", "cluster")}


def render(found, level=0.01, anomalies=()):
    """HTML of what `drift.measure` found; nothing outside the page is needed to read it.

    Args:
        found: its answer.
        level: as of `drift.drifted`.
        anomalies: what else was found, a text for each, such as those of TensorFlow Data Validation.
    """
    tests, changed = found["tests"], drift.drifted(found, level)
    rows = [
        (name, _MEANINGS[_kind(name)], *_effect(test), finds(found, name), test["p_value"], name in changed)
        for name, test in tests.items()
    ]
    template = pages.environment(Path(__file__).parent).get_template("drift.html.j2")
    return template.render(
        found=found, rows=rows, names=changed, level=level, anomalies=anomalies, weak=drift.weak(found),
        verdict=drift.verdict(found, level), pictures=_pictures(found), histograms=_histograms(tests),
    )  # fmt: skip


def finds(found, name):
    """What a test would find four times of five, in words."""
    of = found["power"][name]
    size = of.get("share", of.get("standard_deviations"))
    if size is None:
        return "nothing"
    if "share" in of:
        names, number = found["class_names"] if name == "classes" else (), of["class"]
        name = names[number] if number < len(names) else f"{'cluster ' if name == 'clusters' else ''}{number}"
        return f"{100 * size:.0f}\N{NO-BREAK SPACE}% of the images going over to {name}"
    amount = f" ({of['shift']:.3g})" if "shift" in of else ""
    along = " along the first component" if _kind(name) in _CLOUDS else ""
    return f"a shift of {size:.2g} standard deviations{amount}{along}"


def _kind(name):
    return name.partition(" ")[0]


def _histograms(tests):
    """Of what has one value an image."""
    return [
        figures.two_histograms(test["values"]["reference"], test["values"]["new"], name.title(), _UNITS[_kind(name)])
        for name, test in tests.items()
        if _kind(name) in _UNITS and test["values"]
    ]


def _pictures(found):
    """(PNG, what to see) of the codes and of the classes: the tests that look at the images as the model does."""
    tests, drawn = found["tests"], []
    for name in (name for name in tests if _kind(name) in _CLOUDS):
        values = tests[name]["values"]
        picture = code_figures.two_clouds(values["reference"], values["new"], name.capitalize())
        drawn.append((picture, _CLOUDS[_kind(name)]))
    for name, (title, one) in _SHARES.items():
        if name in tests:
            shares, names = (tests[name]["reference"], tests[name]["new"]), found["class_names"]
            names = names if name == "classes" else [str(j) for j in range(len(shares[0]))]
            picture = figures.two_shares(*shares, *_counts(found), names, title)
            told = f"The share of every {one} and its 95\N{NO-BREAK SPACE}% interval, the largest changes first."
            drawn.append((picture, told))
    return drawn


def _counts(found):
    return found["images"]["reference"], found["images"]["new"]


def _effect(test):
    """(reference, new): means where there are some, else nothing and the size of the difference."""
    if "reference_mean" in test:
        return test["reference_mean"], test["new_mean"]
    return "", test.get("mmd2", test.get("divergence"))
