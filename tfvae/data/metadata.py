"""`metadata.csv` and `metadata.jsonl`: what a user knows of the images in a folder.

A `file_name` column, relative to the file's own folder, and any of `label`, `caption`, `tags`, `pair`, `split` (the
convention of Hugging Face's ImageFolder). Several rows may name one image; their captions and tags add up.
"""

import collections
import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import NamedTuple

NAMES = ("metadata.csv", "metadata.jsonl")
MAX_CAPTION_BYTES = 4096

# Captions longer than the csv module's default of 128 KiB are cut with a count, not refused with the whole file.
_MAX_CELL = 64 << 20
_SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
           "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip


class Row(NamedTuple):
    """What is said of one image; None and () where nothing is."""

    file_name: str
    label: str | None = None
    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pair: str | None = None
    split: str | None = None

    def merge(self, other):
        """Both rows of one image in one.

        Raises:
            ValueError: where they contradict each other.
        """
        for field in ("label", "pair", "split"):
            ours, theirs = getattr(self, field), getattr(other, field)
            if None not in (ours, theirs) and ours != theirs:
                raise ValueError(f"two rows give it the {field}s {ours!r} and {theirs!r}")
        return Row(
            self.file_name,
            self.label if self.label is not None else other.label,
            self.captions + other.captions,
            self.tags + tuple(tag for tag in other.tags if tag not in self.tags),
            self.pair if self.pair is not None else other.pair,
            self.split if self.split is not None else other.split,
        )


def read(path):
    """The rows of one metadata file.

    Args:
        path: of a file with one of `NAMES`.

    Returns:
        A list of `Row`, and a Counter of repairs: "caption repaired" (invalid UTF-8 replaced), "caption empty"
        (dropped), "caption cut" (to 4,096 bytes).

    Raises:
        ValueError: for a table that cannot be read, with the line.
    """
    path = Path(path)
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    records = _csv_records(path, text) if path.suffix == ".csv" else _json_records(path, text)
    repairs = collections.Counter()
    return [_row(path, line, record, repairs) for line, record in records], repairs


def split_name(name):
    """`train`, `validation` or `test` for a name in use for one of them, otherwise None."""
    return _SPLITS.get(str(name).strip().lower())


def clean_caption(caption, repairs):
    """A caption as it is stored, None for one without a word; what was done to it is counted in `repairs`."""
    # A lone surrogate, which JSON can spell, has no UTF-8.
    text = caption.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    text = unicodedata.normalize("NFC", text).strip()
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        repairs["caption empty"] += 1
        return None
    if "\ufffd" in text:
        repairs["caption repaired"] += 1
    if len(text.encode()) > MAX_CAPTION_BYTES:
        repairs["caption cut"] += 1
        text = text.encode()[:MAX_CAPTION_BYTES].decode("utf-8", "ignore")
    return text


def _csv_records(path, text):
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        reader = csv.DictReader(io.StringIO(text.replace("\0", "\ufffd"), newline=""))
        names = [name.strip() for name in reader.fieldnames or ()]
        if "file_name" not in names:
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
        if not isinstance(record, dict) or not isinstance(record.get("file_name"), str):
            raise ValueError(f"{path}, line {line}: give an object with a string `file_name`, got {entry[:80]!r}.")
        records.append((line, record))
    return records


def _row(path, line, record, repairs):
    name = _utf8((record.get("file_name") or "").strip())
    if not name:
        raise ValueError(f"{path}, line {line}: `file_name` is empty.")
    split = _text(path, line, record, "split")
    if split is not None and split_name(split) is None:
        raise ValueError(f"{path}, line {line}: `split` must be train, validation or test, got {split!r}.")
    captions = (clean_caption(text, repairs) for text in _texts(path, line, record, "caption"))
    tags = (tag.strip() for text in _texts(path, line, record, "tags") for tag in text.replace(";", ",").split(","))
    return Row(
        name,
        label=_text(path, line, record, "label"),
        captions=tuple(text for text in captions if text is not None),
        tags=tuple(dict.fromkeys(_utf8(tag) for tag in tags if tag)),
        pair=_text(path, line, record, "pair"),
        split=None if split is None else split_name(split),
    )


def _text(path, line, record, field):
    """A cell as stripped text, None where it is empty."""
    value = record.get(field)
    if isinstance(value, dict | list):
        raise ValueError(f"{path}, line {line}: `{field}` must be one value, got {json.dumps(value)[:80]}.")
    text = "" if value is None else _utf8(str(value).strip())
    return text or None


def _texts(path, line, record, field):
    """The strings of a cell that may hold a list of them; a CSV cell is one."""
    value = record.get(field)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) for text in values):
        raise ValueError(f"{path}, line {line}: `{field}` must be text or a list of texts, got {str(value)[:80]}.")
    return values


def _utf8(text):
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
