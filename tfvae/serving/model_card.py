"""README.md of a version: what the model is, how it is asked, and the numbers of its own run.

In the form of a model card that the Hugging Face Hub reads: a head in YAML, then Markdown.
"""

import json
from collections.abc import Mapping
from typing import Any

from tfvae.evaluation import measurement

NAME = "README.md"

# Signature -> the Hub's name of what it does, the first that a model has.
_TASKS = {
    "classify": "image-classification",
    "caption": "image-to-text",
    "tag": "image-classification",
    "sample": "unconditional-image-generation",
    "encode": "image-feature-extraction",
}
# Key of metrics.json -> (type, name, value as the Hub reads it).
_SHARES = {
    "error": ("accuracy", "Accuracy", lambda error: 1.0 - error),
    "ece": ("expected_calibration_error", "Expected calibration error", float),
    "tag_map": ("mean_average_precision", "Mean average precision of tags", float),
    "tag_ece": ("expected_calibration_error", "Calibration error of tags", float),
    "cluster_nmi": ("normalized_mutual_info", "Mutual information of clusters and classes, normalised", float),
    "bound": ("log_likelihood_bound", "Bound on log p(x), nats", float),
    "iw_bound": ("log_likelihood_bound", "Importance-weighted bound on log p(x), nats", float),
}


def text(described: Mapping[str, Any], data: Any, metrics: Mapping[str, Any] | None = None, why: str = "") -> str:
    """The card.

    Args:
        described: `tfvae.json` of the version.
        data: its `tfvae.data.load.Data`.
        metrics: what `tfvae-evaluate` measured of these weights; None where it did not, and then there is no number.
        why: there are none.
    """
    head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in _head(described, metrics))
    parts = [f"---\n{head}\n---", _about(described), _usage(described), _numbers(metrics, data, why), _rows(described)]
    return "\n\n".join(part for part in [*parts, _limits(described)] if part) + "\n"


def _head(described, metrics):
    """The entries of the YAML; a JSON value is YAML too."""
    task = next((name for signature, name in _TASKS.items() if signature in described["signatures"]), None)
    yield "license", "unknown"  # Of the weights: that is for whoever has the images to say.
    yield "library_name", "tfvae"
    yield "tags", ["tensorflow", "saved-model", "tensorflow-serving", "generative-model", described["model"].lower()]
    if task:
        yield "pipeline_tag", task
    measured = _measured(metrics)
    if measured:
        yield "metrics", sorted({result["type"] for result in measured})
        split = "validation" if metrics.get(measurement.EVALUATED_ROWS) == "validation" else "test"
        dataset = {"name": _dataset(described), "type": _dataset(described), "split": split}
        result = {"task": {"type": task or "other"}, "dataset": dataset, "metrics": measured}
        yield "model-index", [{"name": described["name"], "results": [result]}]


def _measured(metrics):
    known = {name: metrics[name] for name in _SHARES if metrics and metrics.get(name) is not None}
    return [{"type": _SHARES[k][0], "name": _SHARES[k][1], "value": _SHARES[k][2](v)} for k, v in known.items()]


def _dataset(described):
    """What the images are called: the data's name, or where they came from."""
    data = ((described.get("origin") or {}).get("experiment") or {}).get("data", {})
    return data.get("name") or data.get("source") or "unknown"


def _about(described):
    versions = ", ".join(f"{name} {version}" for name, version in described["versions"].items())
    lines = [
        f"# {described['name']}",
        "",
        f"{described['model']} of tfvae, a deep generative model, as a SavedModel for TensorFlow Serving. It takes",
        f"images of shape {described['image']['shape']}; preprocessing is in the graph. Made with {versions}.",
        "`assets.extra/tfvae.json` has the whole configuration that it was trained by.",
    ]
    if described["class_names"]:
        lines += ["", f"Classes: {', '.join(described['class_names'])}."]
    if described.get("tags"):
        lines += ["", f"Tags: {', '.join(described['tags'])}."]
    return "\n".join(lines)


def _usage(described):
    rows = [
        f"| `{name}` | {_arguments(signature['inputs'])} | {_arguments(signature['outputs'])} |"
        for name, signature in described["signatures"].items()
        if name != "serving_default"
    ]
    code = [
        "```python",
        "import tensorflow as tf",
        "",
        'served = tf.saved_model.load("path/of/this/folder").signatures',
        "print({name: served[name].structured_outputs for name in served})",
        "```",
    ]
    return "\n".join(["## How to ask it", "", *code, "", "| signature | takes | answers |", "|---|---|---|", *rows])


def _arguments(shapes):
    return ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())


def _numbers(metrics, data, why):
    if not metrics:
        reason = why or "it was not evaluated before it was exported"
        return f"## Numbers\n\nNone: {reason}. `tfvae-evaluate` measures a run; export it again afterwards."
    told = [f"| {each.name} | {each.value} | {each.meaning} |" for each in measurement.headlines(metrics, data)]
    caveats = [f"- {caveat}" for caveat in measurement.caveats(metrics, data)]
    table = ["| number | value | what it means |", "|---|---|---|", *told]
    return "\n".join(["## Numbers", "", *table, *([""] if caveats else []), *caveats])


def _rows(described):
    known = described["calibration"]
    lines = []
    if "temperature" in known:
        found = known["temperature"]
        lines.append(
            f"- `calibrated_probabilities`: temperature {found['value']:.3g}, fitted on {found['rows']:,} labelled "
            "validation rows."
        )
    if "novelty" in known:
        found = known["novelty"]
        lines.append(
            f"- `p_value`: the rank of an image's bound among those of n = {found['rows']:,} validation images; the "
            f"smallest is {found['smallest_p']:.2g}. A small one says that the image is of another kind."
        )
    lines += [f"- No {name}: {why}." for name, why in known["missing"].items()]
    return "\n".join(["## How sure, and is an image new?", "", *lines]) if lines else ""


def _limits(described):
    gate = [f"| {point} | {outcome} |" for point, outcome in described["gate"].items()]
    return "\n".join(
        [
            "## What to know before using it",
            "",
            "- It knows the kind of images that it was trained on, and gives every other image an answer too.",
            "- The licence of the weights is not stated: it depends on the images, and who publishes them has to say.",
            "- The gate that this version passed:",
            "",
            "| point | outcome |",
            "|---|---|",
            *gate,
        ]
    )
