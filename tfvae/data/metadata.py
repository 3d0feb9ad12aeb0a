"""`metadata.csv` and `metadata.jsonl`: what a user knows of the images in a folder.

A `file_name` column (or `image`), relative to the file's own folder, and any of `split`, `pair` (the file of the second
image, `image_b`), `image_<name>` (the files of further images) and what the kinds of entry read: `label`, `caption`,
`tags`, `factors.<name>` (the convention of Hugging Face's ImageFolder). Several rows may name one image; their captions
and tags add up.
"""

import collections
import csv
import io
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tfvae import batch as batches
from tfvae.data import entries

NAMES = ("metadata.csv", "metadata.jsonl")

# Captions longer than the csv module's default of 128 KiB are cut with a count, not refused with the whole file.
_MAX_CELL = 64 << 20
_SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
           "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
_PAIR = "pair"
_SECOND = f"{batches.IMAGE}_b"  # What the second image of a pair is called where nobody names it.


class Annotation(NamedTuple):
    """What is said of one image, or of an example of several.

    file_name: of the first image; of another one where the example lacks the first.
    values: entry -> value, of the entries that are given.
    split: None where none is given.
    further: modality -> file name of further images.
    """

    file_name: str
    values: dict[str, Any] = MappingProxyType({})
    split: str | None = None
    further: dict[str, str] = MappingProxyType({})

    def merge(self, other):
        """Both annotations of one image in one.

        Raises:
            ValueError: where they contradict each other.
        """
        for name in self.further.keys() & other.further.keys():
            if self.further[name] != other.further[name]:
                raise ValueError(f"two rows pair it with {self.further[name]!r} and {other.further[name]!r}")
        if None not in (self.split, other.split) and self.split != other.split:
            raise ValueError(f"two rows give it the splits {self.split!r} and {other.split!r}")
        merged = {
            name: entries.named(name).merge(self.values.get(name), other.values.get(name))
            for name in {**self.values, **other.values}
        }
        split = self.split if self.split is not None else other.split
        return Annotation(self.file_name, merged, split, {**self.further, **other.further})


class Cells:
    """One row of a table, as entries read it.

    Args:
        path, line: where it stands.
        record: column -> value.
        repairs: counts what was done to what it says.
    """

    def __init__(self, path, line, record, repairs):
        self.where = f"{path}, line {line}"
        self.record = record
        self.repairs = repairs

    def text(self, column):
        """A cell as stripped text, None where it is empty."""
        value = self.record.get(column)
        if isinstance(value, dict | list):
            raise ValueError(f"{self.where}: `{column}` must be one value, got {json.dumps(value)[:80]}.")
        text = "" if value is None else _utf8(str(value).strip())
        return text or None

    def texts(self, column):
        """The strings of a cell that may hold a list of them; a CSV cell is one."""
        value = self.record.get(column)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(text, str) for text in values):
            raise ValueError(f"{self.where}: `{column}` must be text or a list of texts, got {str(value)[:80]}.")
        return [text if column == batches.CAPTION else _utf8(text) for text in values]

    def named(self, prefix):
        """{name: value} of the columns `<prefix>.<name>` that are not empty, or of an object in the column `prefix`."""
        value = self.record.get(prefix)
        if value not in (None, "") and not isinstance(value, dict):
            raise ValueError(f"{self.where}: `{prefix}` must be an object of named values, got {str(value)[:80]}.")
        columns = {key.removeprefix(f"{prefix}."): value for key, value in self.record.items() if _begins(key, prefix)}
        return {name: value for name, value in {**(value or {}), **columns}.items() if value not in (None, "")}


def read(path):
    """The rows of one metadata file.

    Args:
        path: of a file with one of `NAMES`.

    Returns:
        A list of `Annotation`, and a Counter of repairs: "caption repaired" (invalid UTF-8 replaced), "caption empty"
        (dropped), "caption cut" (to 4,096 bytes).

    Raises:
        ValueError: for a table that cannot be read, with the line.
    """
    path = Path(path)
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    records = _csv_records(path, text) if path.suffix == ".csv" else _json_records(path, text)
    repairs = collections.Counter()
    return [_annotation(Cells(path, line, record, repairs)) for line, record in records], repairs


def split_name(name):
    """`train`, `validation` or `test` for a name in use for one of them, otherwise None."""
    return _SPLITS.get(str(name).strip().lower())


def _csv_records(path, text):
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        reader = csv.DictReader(io.StringIO(text.replace("\0", "\ufffd"), newline=""))
        names = [name.strip() for name in reader.fieldnames or ()]
        if "file_name" not in names and batches.IMAGE not in names:
            raise ValueError(f"{path} has the columns {names} and no `file_name`; name the images in such a column.")
        reader.fieldnames = names
        return [(reader.line_num, record) for record in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}.") from None
    finally:
        csv.field_size_limit(limit)


def _json_records(path, text):
    records = []
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            record = json.loads(entry)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {line}: not JSON ({error}).") from None
        if not isinstance(record, dict) or not _file_names(record):
            raise ValueError(f"{path}, line {line}: give an object with a string `file_name`, got {entry[:80]!r}.")
        records.append((line, record))
    return records


def _annotation(cells):
    files = {name: _utf8(file.strip()) for name, file in _file_names(cells.record).items() if file.strip()}
    if not files:
        raise ValueError(f"{cells.where}: `file_name` is empty.")
    split = cells.text("split")
    if split is not None and split_name(split) is None:
        raise ValueError(f"{cells.where}: `split` must be train, validation or test, got {split!r}.")
    values = {entry.name: entry.read(cells) for entry in entries.kinds().values() if not batches.is_image(entry.name)}
    given = {name: value for name, value in values.items() if value is not None}
    if batches.IMAGE not in files and len(files) > 1:
        raise ValueError(f"{cells.where}: an example with the images {sorted(files)} needs a `file_name` or `image`.")
    first = files.pop(batches.IMAGE, None) or next(iter(files.values()))
    return Annotation(first, given, None if split is None else split_name(split), files)


def _file_names(record):
    """{modality: file name} of a record; {} where a cell that names a file is no text."""
    columns = {
        batches.IMAGE: record.get("file_name", record.get(batches.IMAGE)),
        _SECOND: record.get(_PAIR),
        **{key: value for key, value in record.items() if key and key != batches.IMAGE and batches.is_image(key)},
    }
    named = {name: value for name, value in columns.items() if value is not None}
    return named if all(isinstance(value, str) for value in named.values()) else {}


def _begins(column, prefix):
    return isinstance(column, str) and column.startswith(f"{prefix}.")


def _utf8(text):
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
