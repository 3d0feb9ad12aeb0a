"""`metadata.csv` and `metadata.jsonl`: what a user knows of the images in a folder.

A `file_name` column (or `image`), relative to the file's own folder, and any of `split`, `pair` (the file of the second
image, `image_b`), `image_<name>` (the files of further images) and what the kinds of entry read: `label`, `caption`,
`tags`, `factors.<name>` (the convention of Hugging Face's ImageFolder). Several rows may name one image; their captions
and tags add up. `text` is read as `caption` where there is no such column.

Either a cell is read as it is meant, or its row is refused by its line: no cell is cut, moved or taken for another.
Cells that say that nothing is known (`nan`, `null`, `<NA>`) are empty, and counted.
"""

import codecs
import collections
import csv
import difflib
import io
import json
import math
import re
import unicodedata
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tfvae import batch as batches
from tfvae.data import entries

NAMES = ("metadata.csv", "metadata.jsonl")

# Captions longer than the csv module's default of 128 KiB are cut with a count, not refused with the whole file.
_MAX_CELL = 64 << 20
_SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
           "val": "validation", "dev": "validation", "test": "test", "testing": "test", "eval": "test",
           "evaluation": "test"}  # fmt: skip
_FILE, _PAIR, _SPLIT, _TEXT = "file_name", "pair", "split", "text"
# What programs write for a value that they do not know; `None` and `NA` are names in use, and stay.
_UNKNOWN = frozenset(("nan", "<na>", "null", "#n/a"))
# What columns are called elsewhere; what is spelt nearly as one of ours is found without a list.
_ELSEWHERE = {"file": _FILE, "path": _FILE, "file_path": _FILE, "filepath": _FILE, 
              "class": batches.LABEL, "category": batches.LABEL}  # fmt: skip
_NO_IMAGES = ("image_id", "image_width", "image_height")  # Numbers, though they are called as further images are.
_ALIKE = 0.8
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)
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
        value = self._given(column)
        if isinstance(value, dict | list):
            raise ValueError(f"{self.where}: `{column}` must be one value, got {json.dumps(value)[:80]}.")
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 1.0 is 1, as in a column of numbers some of which are unknown.
        return None if value is None else self.name(str(value), column) or None

    def texts(self, column):
        """The strings of a cell that may hold a list of them; a CSV cell is one."""
        value = self._given(column)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(text, str) for text in values):
            raise ValueError(f"{self.where}: `{column}` must be text or a list of texts, got {str(value)[:80]}.")
        return [text if column == batches.CAPTION else self.name(text, column) for text in values]

    def named(self, prefix):
        """{name: value} of the columns `<prefix>.<name>` that are not empty, or of an object in the column `prefix`."""
        value = self.record.get(prefix)
        if value not in (None, "") and not isinstance(value, dict):
            raise ValueError(f"{self.where}: `{prefix}` must be an object of named values, got {str(value)[:80]}.")
        columns = {key.removeprefix(f"{prefix}."): value for key, value in self.record.items() if _begins(key, prefix)}
        return {name: value for name, value in {**(value or {}), **columns}.items() if value not in (None, "")}

    def name(self, text, column):
        """Stripped text that names something, of one line and whole: unlike a caption it cannot be repaired."""
        text = _utf8(text.strip())
        if "\ufffd" in text:
            raise ValueError(f"{self.where}: `{column}` is not UTF-8, got {text[:80]!r}. Save the table as UTF-8.")
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise ValueError(
                f"{self.where}: `{column}` must be one line of text, got {text[:80]!r}. Is a quotation mark not closed?"
            )
        return text

    def _given(self, column):
        """The value of a column, None for one that says that nothing is known."""
        value = self.record.get(column)
        if not _is_unknown(value):
            return value
        self.repairs[f"{column} unknown (`{str(value).strip()}`), taken for empty"] += 1
        return None


def read(path):
    """The rows of one metadata file.

    Args:
        path: of the file; one that does not end with `.jsonl` has commas between its cells.

    Returns:
        A list of `Annotation`, and a Counter of repairs: "caption repaired" (invalid UTF-8 replaced), "caption empty"
        (dropped), "caption cut" (to 4,096 bytes), cells that say that nothing is known, and columns that are not read.

    Raises:
        ValueError: for a table that cannot be read, with the line.
    """
    path = Path(path)
    records = (_json_records if path.suffix == ".jsonl" else _csv_records)(path, decoded(path))
    repairs, spellings = collections.Counter(), {}
    rows = []
    for line, record in records:
        cells = Cells(path, line, _with_known_columns(path, line, record, repairs), repairs)
        rows.append(_annotation(cells))
        _check_spelling(cells, rows[-1].values.get(batches.LABEL), spellings)
    return rows, repairs


def decoded(path):
    """The text of a table: UTF-8, or UTF-16 with its mark; what is neither becomes U+FFFD.

    Raises:
        ValueError: for UTF-16 without a mark, or broken.
    """
    content = Path(path).read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} begins as UTF-16 and is none ({error}). Save it as UTF-8.") from None
    if b"\0" in content[:4]:
        raise ValueError(f"{path} looks like UTF-16 without its mark. Save it as UTF-8.")
    return content.decode("utf-8-sig", errors="replace")


def split_name(name):
    """`train`, `validation` or `test` for a name in use for one of them, otherwise None."""
    return _SPLITS.get(str(name).strip().lower())


def number(text):
    """The number that a text writes; None where it writes none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _csv_records(path, text):
    """[(line, {column: cell})], a line being the first of its row."""
    limit = csv.field_size_limit(_MAX_CELL)
    line = 1
    try:
        reader = csv.reader(io.StringIO(text.replace("\0", "\ufffd"), newline=""), strict=True, skipinitialspace=True)
        columns = [name.strip() for name in next(reader, [])]
        _check_header(path, columns)
        records, line = [], reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells[len(columns) :]):
                raise ValueError(
                    f"{path}, line {line}: {len(cells)} cells for {len(columns)} columns. Put a cell that has a "
                    "comma into quotation marks."
                )
            if cells:
                records.append((line, dict(zip(columns, cells, strict=False))))
            line = reader.line_num + 1
        return records
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {line}: {error}. A quotation mark in a quoted cell is written twice, and each is closed."
        ) from None
    finally:
        csv.field_size_limit(limit)


def _check_header(path, columns):
    known = [_known_column(name, columns) or name for name in columns]
    twice = [name for name, num in collections.Counter(known).items() if name and num > 1]
    if twice:
        raise ValueError(f"{path}, line 1: two columns are called `{twice[0]}`; name them apart.")
    if _FILE in known or batches.IMAGE in known:
        return
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        raise ValueError(f"{path}, line 1: {columns[0]!r} is one column, no `{_FILE}`; put commas between cells.")
    raise ValueError(
        f"{path}, line 1: there are the columns {columns} and no `{_FILE}`; name the images in such a column."
    )


def _json_records(path, text):
    records = []
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            record = json.loads(entry, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {line}: not JSON ({error}).") from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {line}: give an object with a string `{_FILE}`, got {entry[:80]!r}.")
        records.append((line, record))
    return records


def _object(pairs):
    twice = [name for name, num in collections.Counter(name for name, _ in pairs).items() if num > 1]
    if twice:
        raise ValueError(f"`{twice[0]}` is given twice")
    return dict(pairs)


def _with_known_columns(path, line, record, repairs):
    """A record under our names of columns; columns that are not read are counted.

    Raises:
        ValueError: for a column that is nearly called as one that is read, and for two that say the same thing.
    """
    found = {}
    for column, value in record.items():
        name = _known_column(column, record)
        if name is None:
            meant = _meant(column)
            if meant and meant not in {_known_column(other, record) for other in record}:
                raise ValueError(f"{path}, line {line}: `{column}` is not read; is `{meant}` meant? Rename the column.")
            repairs[f"column `{column}` is not read"] += 1
            continue
        if name in found:
            raise ValueError(f"{path}, line {line}: two columns are called `{name}`; name them apart.")
        found[name] = value
    for one, other in ((_FILE, batches.IMAGE), (_PAIR, _SECOND)):
        if found.get(one) and found.get(other):
            raise ValueError(f"{path}, line {line}: `{one}` and `{other}` name the same image; give one of them.")
    return found


def _known_column(column, columns):
    """Our name of a column, in whichever case it is written; None for one that is not read."""
    name = column.strip().lower().replace(" ", "_").replace("-", "_")
    if name == _TEXT and batches.CAPTION not in columns:
        return batches.CAPTION
    kind, dot, rest = column.strip().partition(".")
    if dot and rest and kind.lower() in entries.kinds():
        return f"{kind.lower()}.{rest}"
    return name if name in _columns() or (batches.is_image(name) and name not in _NO_IMAGES) else None


def _columns():
    return {_FILE, _PAIR, _SPLIT, *entries.kinds()} - {batches.ROW}


def _meant(column):
    """The column that one of nearly its name is meant to be, None for no such."""
    name = column.strip().lower().partition(".")[0].replace(" ", "_").replace("-", "_")
    close = difflib.get_close_matches(name, sorted(_columns() - {batches.IMAGE}), 1, _ALIKE)
    return _ELSEWHERE.get(name) or (close[0] if close else None)


def _check_spelling(cells, label, spellings):
    """Refuses one number that is a label in several spellings, which would be several classes."""
    of_label = None if label is None else number(label)
    if of_label is None:
        return
    first, where = spellings.setdefault(of_label, (label, cells.where))
    if first != label:
        raise ValueError(
            f"{cells.where}: the label {label!r} is the number {first!r} of {where} in another spelling; write it one "
            "way."
        )


def _is_unknown(value):
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and value.strip().lower() in _UNKNOWN


def _annotation(cells):
    files = {name: cells.name(file, name) for name, file in _file_names(cells).items()}
    files = {name: file for name, file in files.items() if file}
    if not files:
        raise ValueError(f"{cells.where}: `{_FILE}` is empty.")
    split = cells.text(_SPLIT)
    if split is not None and split_name(split) is None:
        raise ValueError(f"{cells.where}: `split` must be train, validation or test, got {split!r}.")
    values = {entry.name: entry.read(cells) for entry in entries.kinds().values() if not batches.is_image(entry.name)}
    given = {name: value for name, value in values.items() if value is not None}
    if batches.IMAGE not in files and len(files) > 1:
        raise ValueError(f"{cells.where}: an example with the images {sorted(files)} needs a `file_name` or `image`.")
    first = files.pop(batches.IMAGE, None) or next(iter(files.values()))
    return Annotation(first, given, None if split is None else split_name(split), files)


def _file_names(cells):
    """{modality: file name} of a record.

    Raises:
        ValueError: where a cell that names a file is no text.
    """
    record = cells.record
    columns = {
        batches.IMAGE: record.get(_FILE) or record.get(batches.IMAGE, record.get(_FILE)),
        **{key: value for key, value in record.items() if key != batches.IMAGE and batches.is_image(key)},
        _SECOND: record.get(_PAIR) or record.get(_SECOND),
    }
    named = {name: value for name, value in columns.items() if value is not None and not _is_unknown(value)}
    if not named or not all(isinstance(value, str) for value in named.values()):
        raise ValueError(f"{cells.where}: give an object with a string `{_FILE}`, got {str(record)[:80]}.")
    return named


def _begins(column, prefix):
    return isinstance(column, str) and column.startswith(f"{prefix}.")


def _utf8(text):
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
