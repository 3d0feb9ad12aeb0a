"""JSON objects that are read back and believed: each holds a checksum of its other fields.

So a damaged file is told from a good one, wherever it was moved to. A person who edits one on purpose says so by
`tfvae-check --accept=FILE`, which gives it the checksum of what it holds then. Spaces and line ends are free.
"""

import functools
import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from absl import logging

from tfvae.storage import atomic
from tfvae.storage.disk import PathLike

CHECKSUM = "checksum"
_DIGEST = re.compile(r"[0-9a-f]{16}")
_RESTORE = "restore it from a copy"

Fields = dict[str, Any]


class ChangedFileError(atomic.DamagedFileError):
    """The fields of a file are not those that its checksum is of."""


def signed(fields: Fields) -> Fields:
    """The fields with their checksum at the end."""
    return {**fields, CHECKSUM: _digest(fields)}


def to_text(fields: Fields, indent: int | None = 2) -> str:
    """The content of a file with these fields."""
    return json.dumps(signed(fields), indent=indent, allow_nan=False) + "\n"


def write(path: PathLike, fields: Fields, indent: int | None = 2) -> None:
    """Writes a file in one step."""
    atomic.write_bytes(path, to_text(fields, indent).encode())


def read(path: PathLike, known: Collection[str] = (), otherwise: str = _RESTORE) -> Fields:
    """The fields of a file.

    Args:
        path: of the file. One that an older version wrote has no checksum, and is believed.
        known: names of the fields that there may be; empty where they are free.
        otherwise: what to do about a file that nobody changed on purpose.

    Raises:
        DamagedFileError: if it is no JSON object, was changed, or has unknown fields.
    """
    return verified(parse(Path(path).read_bytes(), path, otherwise), path, known, otherwise)


def parse(content: bytes, path: PathLike, otherwise: str = _RESTORE) -> Any:
    """The JSON value in the bytes of a file.

    Raises:
        DamagedFileError: if they are not JSON.
    """
    try:
        return json.loads(content.decode(), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise atomic.DamagedFileError(f"{path} is not JSON ({error}): {otherwise}.") from error


def verified(value: Any, path: PathLike, known: Collection[str] = (), otherwise: str = _RESTORE) -> Fields:
    """The fields of a JSON value without their checksum; arguments and errors as of `read`."""
    if not isinstance(value, dict):
        raise atomic.DamagedFileError(f"{path} holds {type(value).__name__}, not a JSON object: {otherwise}.")
    fields = dict(value)
    written = fields.pop(CHECKSUM, None)
    if known and (unknown := sorted(set(fields) - set(known))):
        raise atomic.DamagedFileError(f"{path} has unknown fields {unknown}; known are {sorted(known)}: {otherwise}.")
    # One whose name was damaged still looks like one.
    if written is None and _looks_like_a_digest(next(reversed(fields.values()), None)):
        written = ""
    if written is None:
        _tell_of_no_checksum(str(path))
    elif written != _digest(fields):
        raise ChangedFileError(
            f"{path} was changed after it was written: its `{CHECKSUM}` is not that of its other fields. "
            f"{_on_purpose(path)} If not: {otherwise}."
        )
    return fields


def read_beside(path: PathLike) -> bytes:
    """The bytes of a file whose checksum stands in another one; one that an older version wrote has none.

    Raises:
        DamagedFileError: if the file was changed.
    """
    path = Path(path)
    if not atomic.sidecar(path).exists():
        _tell_of_no_checksum(str(path))
        return path.read_bytes()
    try:
        return atomic.read_checked(path)
    except atomic.DamagedFileError as error:
        raise ChangedFileError(f"{error} {_on_purpose(path)} If not: {_RESTORE}.") from error


def accept(path: PathLike) -> None:
    """Gives a file that was edited on purpose the checksum of what it holds now, in it or beside it.

    Raises:
        DamagedFileError: if it is no JSON object.
    """
    path = Path(path)
    content = path.read_bytes()
    if atomic.sidecar(path).exists():
        atomic.write_checked(path, content)
        return
    value = parse(content, path, "mend it")
    if not isinstance(value, dict):
        raise atomic.DamagedFileError(f"{path} holds {type(value).__name__}, not a JSON object: mend it.")
    write(path, {name: of_name for name, of_name in value.items() if name != CHECKSUM})


def _on_purpose(path: PathLike) -> str:
    return f"If that was done on purpose, say so: tfvae-check --accept={path}."


def _digest(fields: Fields) -> str:
    """Sixteen digits of the sha256 of the fields, in their order, as JSON without a choice of spaces."""
    return hashlib.sha256(json.dumps(fields, allow_nan=False).encode()).hexdigest()[:16]


def _looks_like_a_digest(value: Any) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@functools.cache
def _tell_of_no_checksum(path: str) -> None:
    """Once for each file: it is believed as it was by the version that wrote it."""
    logging.info("%s has no checksum: an older version of tfvae wrote it.", path)
