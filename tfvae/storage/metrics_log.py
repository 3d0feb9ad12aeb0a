"""`metrics.jsonl`: what was measured after each epoch, or each stretch of a chain."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfvae.storage import atomic, checked_json
from tfvae.storage.disk import PathLike

Record = dict[str, Any]

# What comes before a metric's name: on validation rows, on training rows.
KINDS = (("val_", "validation_"), ("",))


class MetricsLog:
    """A line an epoch, epochs counted from 1; a file beside it has its checksum.

    Args:
        path: of the file.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def lines(self) -> list[Record]:
        """The records, in the order of epochs; [] where there is no file.

        A line that a killed process left unfinished is passed over, and of two records of one epoch (a run that was
        resumed) the later counts.

        Raises:
            DamagedFileError: if the file is not what was written.
        """
        if not self.path.exists():
            return []
        records: dict[int, Record] = {}
        for line in checked_json.read_beside(self.path).decode(errors="replace").splitlines():
            record = _record(line)
            if record is not None:
                records[record["epoch"]] = record
        return [records[epoch] for epoch in sorted(records)]

    def append(self, line: Record) -> None:
        """Adds a line; all lines are written anew in one step, so a full disk cannot leave half of one."""
        self._write([*self.lines(), line])

    def truncate(self, epochs: int) -> list[Record]:
        """Keeps the lines of the first epochs and returns them.

        Raises:
            ValueError: if one of them is missing.
        """
        kept = [line for line in self.lines() if line["epoch"] <= epochs]
        if [line["epoch"] for line in kept] != list(range(1, epochs + 1)):
            raise ValueError(
                f"{self.path} lacks lines of the {epochs} epochs that the checkpoint was trained for, so the best "
                "epoch is not known. Restore the file, or start a run in another `workdir`."
            )
        if kept or self.path.exists():
            self._write(kept)
        return kept

    def _write(self, lines: Iterable[Record]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        if self.path.exists() and not atomic.sidecar(self.path).exists():
            # Of an older version: it is good until the new one is there, also where this process is killed in between.
            atomic.write_checked(self.path, self.path.read_bytes())
        atomic.write_checked(self.path, text.encode())


def series(
    records: Iterable[Record], metric: str, prefixes: Iterable[str] = (*KINDS[0], *KINDS[1])
) -> tuple[list[int], list[float]]:
    """(epochs, values) of a metric.

    Args:
        records: lines of a log.
        metric: its name.
        prefixes: before the name, the first that was recorded counts; by default validation before training, because
            curves are there to see whether a model generalises.

    Returns:
        ([], []) if it was never recorded.
    """
    records = list(records)
    for prefix in prefixes:
        found = [(r["epoch"], r[prefix + metric]) for r in records if r.get(prefix + metric) is not None]
        if found:
            return [epoch for epoch, _ in found], [value for _, value in found]
    return [], []


def _record(line: str) -> Record | None:
    """The record of a whole line, None for any other: an object that was cut is not JSON."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "epoch" in record else None
