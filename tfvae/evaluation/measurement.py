"""A question to a trained model is a plug-in: a file of this package that ends with its `MEASUREMENT`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tfvae import evaluation
from tfvae.data.examples import Examples
from tfvae.data.load import Data
from tfvae.evaluation import listing, nouns
from tfvae.metrics import Metric
from tfvae.models.base import GenerativeModel

EVALUATED_ROWS = "evaluated_rows"  # In results, where they are not of test rows.


class Settings(NamedTuple):
    """How thoroughly a model is measured; a measurement takes from these what concerns it.

    num_samples: S, draws of the auxiliary variable or the code behind `error_s<S>` and captions; 1 for the
        deterministic `error` and the captions of the mean code.
    iw_samples:  k of the importance-weighted bound; 0 for none.
    rows_limit:  rows of the bounds, a seeded random subset; 0 for all.
    seed:        of every draw.
    decoding:    how captions are chosen; by default as in the model's config.
    classifier:  of images, which judges samples: as of `tfvae.evaluation.image_classifier.named`; empty for none.
    """

    num_samples: int = 1
    iw_samples: int = 100
    rows_limit: int = 0
    seed: int = 0
    decoding: str = ""
    classifier: str = ""


class Headline(NamedTuple):
    """A number in words.

    name:    of the number.
    value:   as it is shown.
    meaning: a sentence or two for somebody who never saw it: what it means, how sure it is.
    rank:    the lowest stand first; those of tfvae have 10 (the error) to 100.
    spread:  how sure the value is, in words that are quoted with it: "95 % interval 33.2 % to 76.9 %".
    """

    name: str
    value: str
    meaning: str
    rank: int = 200
    spread: str = ""

    @property
    def in_words(self) -> str:
        """Name, value and spread."""
        return f"{self.name} {self.value}" + (f" ({self.spread})" if self.spread else "")


def _nothing(metrics, data):
    del metrics, data
    return []


class Measurement(NamedTuple):
    """One question to a trained model, and how its answer is put into words.

    applies:   whether the model can be asked on these rows: (model, data, rows) -> bool.
    measure:   (model, data, rows, settings) -> entries of `metrics.json`.
    headlines: (metrics, data) -> list of `Headline`; `metrics` may come from an older version, and need not have any
        of the entries.
    caveats:   (metrics, data) -> sentences that a careful reader should know before trusting the numbers.
    errors:    entries that are test errors and stand beside those of rivals -> what is said after the model's name.
    metrics:   what `tfvae.metrics` does not list, for the spread over draws of labels.
    """

    applies: Callable[[GenerativeModel, Data, Examples], bool]
    measure: Callable[[GenerativeModel, Data, Examples, Settings], dict]
    headlines: Callable[[dict, Data], list[Headline]] = _nothing
    caveats: Callable[[dict, Data], list[str]] = _nothing
    errors: Mapping[str, str] = {}
    metrics: tuple[Metric, ...] = ()


def measurements():
    """Name of the file -> `Measurement`, of every file in this package that has one."""
    return listing.by_file(evaluation, "MEASUREMENT")


def headlines(metrics, data):
    """The few numbers that matter, the most important first."""
    told = [headline for each in measurements().values() for headline in each.headlines(metrics, data)]
    return sorted(told, key=lambda headline: headline.rank)


def in_words(metrics, data):
    """The headlines on one line."""
    return "; ".join(each.in_words for each in headlines(metrics, data)) or "no number applies"


def caveats(metrics, data):
    """What a careful reader should know before trusting the numbers."""
    told = []
    if metrics.get("invalid_rows"):
        invalid = nouns.counted(metrics["invalid_rows"], data, metrics.get(EVALUATED_ROWS, "test"))
        told.append(
            f"{invalid} gave a number that is not finite; they count as wrong, and means over them are missing. Look "
            "at the training curves for a run that diverged."
        )
    if metrics.get(EVALUATED_ROWS) == "validation":
        told.append(
            f"There are no test {nouns.plural(data)}: the numbers are of those for validation, by which the weights "
            "were chosen, and flatter the model. Give some the split `test`."
        )
    return told + [caveat for each in measurements().values() for caveat in each.caveats(metrics, data)]
