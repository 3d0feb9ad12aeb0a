"""What is measured: one table of names, units and directions behind monitors, tuners, curves and tables."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Metric(NamedTuple):
    """One number that tells how good a model is.

    name:      in `metrics.json`; `val_<name>` in `metrics.jsonl`.
    title:     in words, as a curve or a table is headed.
    unit:      of the number as it is shown; "%" for fractions.
    rises:     whether a better model has a higher value.
    meaning:   what a curve of it should do.
    monitored: whether it can choose the best weights.
    """

    name: str
    title: str
    unit: str
    rises: bool = False
    meaning: str = ""
    monitored: bool = False

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.rises else value < than

    def best(self, items: Iterable[Item], key: Callable[[Item], float]) -> Item:
        """The item with the best `key(item)`; the first of equals."""
        return (max if self.rises else min)(items, key=key)

    def shown(self, value: float, digits: int = 2) -> str:
        """A value with its unit, as people read it."""
        return shown(value, self.unit, digits)


def shown(value: float, unit: str, digits: int = 2) -> str:
    """A number with its unit, as people read it: "0.93 %", "−85.30 nats".

    Args:
        value: a fraction if the unit is "%".
        unit: as of a `Metric`.
        digits: behind the point; a percentage has one from 1 % on, and a large number none.
    """
    if unit == "%":
        value, digits = 100.0 * value, 1 if value >= 0.01 or value == 0 else 2
    elif abs(value) >= 1000:
        digits = 0
    number = f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return f"{number}\N{NO-BREAK SPACE}{unit}" if unit else number


_TABLE = (
    Metric("error", "Error", "%", False, "On what the model never trained on.", monitored=True),
    Metric(
        "bound", "Bound on log p(x)", "nats", True,
        "It should rise and level off; a fall is overfitting.", monitored=True,
    ),
    Metric(
        "perplexity", "Perplexity of captions", "a word", False,
        "It should fall and level off; a rise is overfitting.", monitored=True,
    ),
    Metric(
        "tag_map", "Mean average precision of tags", "%", True,
        "It should rise and level off; a fall is overfitting.", monitored=True,
    ),
    Metric(
        "reconstruction_error", "Squared error of reconstructed images and codes", "", False,
        "It should fall and level off.", monitored=True,
    ),
    Metric(
        "sample_distance", "Energy distance of samples from held-out images", "", False,
        "It should fall; 0 where they have one law.", monitored=True,
    ),
    Metric("loss", "Training loss", "nats", False, "What the optimiser minimises; not comparable between models."),
    Metric("ece", "Expected calibration error", "%"),
    Metric("cluster_accuracy", "Images of the class of their cluster", "%", True),
    Metric("cluster_nmi", "Mutual information of clusters and classes", "", True),
    Metric("tag_ece", "Calibration error of tags", "%"),
    Metric("tag_f1", "F1 of the most probable tags", "%", True),
    Metric("label_nll", "Negative log-likelihood of labels", "nats"),
    Metric("bits_per_dim", "Negative bound", "bits a dimension"),
    Metric("cider", "CIDEr", "", True),
    Metric("rouge_l", "ROUGE-L", "", True),
    Metric("meteor", "METEOR", "", True),
    Metric("bleu", "BLEU", "", True),
    Metric("image_to_caption", "Captions found by an image", "%", True),
    Metric("caption_to_image", "Images found by a caption", "%", True),
)  # fmt: skip
METRICS = {metric.name: metric for metric in _TABLE}
MONITORS = tuple(metric.name for metric in _TABLE if metric.monitored)

# Names with a number in them begin with these: `error_s10`, `bleu4`, `image_to_caption_recall_at_10`.
_NUMBERED = ("error_s", "bleu", "tag_f1", "image_to_caption", "caption_to_image")


def find(name: str) -> Metric | None:
    """The `Metric` that a key of `metrics.json` is a case of; None if the key is not one.

    `svm_error` and `baseline_mlp_error` are errors, `iw_bound` is a bound, `error_s10` an error, `bleu4` a BLEU.
    """
    for start in _NUMBERED:
        if name.startswith(start):
            return METRICS[start.removesuffix("_s")]
    return next((metric for metric in _TABLE if name == metric.name or name.endswith(f"_{metric.name}")), None)
