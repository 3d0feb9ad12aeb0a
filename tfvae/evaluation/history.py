"""What `metrics.jsonl` tells of the epochs of a run."""

import json
from pathlib import Path

# Validation comes before training: curves are there to see whether it generalises.
_PREFIXES = ("val_", "validation_", "")


def read(path):
    """The records of `metrics.jsonl`, one an epoch, in the order of epochs.

    A last line that a killed process left half written is passed over, and of two records of one epoch (a run that was
    resumed) the later counts. A missing file has no records.
    """
    path = Path(path)
    if not path.exists():
        return []
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and "epoch" in record:
            records[record["epoch"]] = record
    return [records[epoch] for epoch in sorted(records)]


def series(records, metric):
    """(epochs, values) of a metric on validation rows, or on training rows where nothing was validated; ([], []) if it
    was never recorded."""
    for prefix in _PREFIXES:
        found = [(r["epoch"], r[prefix + metric]) for r in records if r.get(prefix + metric) is not None]
        if found:
            return [epoch for epoch, _ in found], [value for _, value in found]
    return [], []
