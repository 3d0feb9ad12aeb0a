"""What a table of a source is: rows of presets beside published numbers, and measured columns."""

import dataclasses
from collections.abc import Mapping

BUDGETS = ("tiny", "small", "full")
NO_BOUND = {"iw_samples": 0, "rows_limit": 1000}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of a table: a preset, trained on every draw.

    Args:
        name: of the row.
        preset: a file of `tfvae/configs`.
        overrides: dotted fields of the experiment -> values, e.g. {"training.epochs": 100}.
        size: of the preset, for a preset that is the same at every budget; None for the budget's.
        source: the source's own number as it prints it; "–" where it prints none.
        evaluation: arguments of `tfvae.evaluation.evaluate.evaluate` that differ from the table's.
        after: name of the row above whose run this one starts from (two-step training); empty for none.
    """

    name: str
    preset: str
    overrides: Mapping = dataclasses.field(default_factory=dict)
    size: str | None = None
    source: str = "–"
    evaluation: Mapping = dataclasses.field(default_factory=dict)
    after: str = ""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measured column.

    Args:
        title: of the column.
        keys: of the test metrics; the first that a run has is taken (M1+TSVM has `tsvm_error`, the others `error`).
        unit: `percent` (of a fraction), `nats`, or `number`.
        show: `spread` (mean ± standard deviation over draws), `each` draw, or the `best` draw by validation.
        sign: −1 to show a bound as a negative log-likelihood.
    """

    title: str
    keys: tuple[str, ...]
    unit: str = "percent"
    show: str = "spread"
    sign: int = 1


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or figure of a source.

    Args:
        title: what it shows.
        citation: where it stands in the source.
        entries: its rows.
        measures: its measured columns.
        evaluation: arguments of `evaluate` on the test rows.
        drawing: name of its function in `tfvae.reproduction.drawings`, or "".
        notes: sentences below it, `{fact}` filled in from `facts`.
        facts: name of its function in `tfvae.reproduction.facts`, or "".
        prepare: name of its function in `tfvae.reproduction.preparations`, which makes what the runs need first, or "".
        timed: whether the time of a code of a test image is measured too: `encode_ms`.
    """

    title: str
    citation: str
    entries: tuple[Entry, ...]
    measures: tuple[Measure, ...]
    evaluation: Mapping = dataclasses.field(default_factory=dict)
    drawing: str = ""
    notes: tuple[str, ...] = ()
    facts: str = ""
    prepare: str = ""
    timed: bool = False
