"""Files that survive a kill and a full disk: a path holds the whole new file or still the whole old one."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tfvae.storage import unfinished
from tfvae.storage.disk import PathLike


class DamagedFileError(ValueError):
    """A file is not what was written: its checksum is missing or another."""


def write_bytes(path: PathLike, data: bytes) -> None:
    """Writes a file in one step: beside its place, flushed to the disk, then renamed.

    Raises:
        OSError: if the file cannot be written, such as on a full disk; the previous file is then untouched.
    """
    try:
        with unfinished.new_file(path) as file:
            file.write(data)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}: could not write {len(data)} bytes to {path}. What was there before is untouched; "
            "make room (or check the permissions) and start the same command again",
        ) from error


def write_json(path: PathLike, value: Any, indent: int | None = 2) -> None:
    """Writes a JSON value in one step; `indent` None for long lists that nobody reads."""
    write_bytes(path, (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode())


def read_json(path: PathLike) -> Any:
    """The JSON value in a file.

    Raises:
        DamagedFileError: if the file is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise DamagedFileError(f"{path} is not readable JSON ({error}); restore it from a copy.") from error


def write_checked(path: PathLike, data: bytes) -> None:
    """Writes a file and its sha256 beside it, in the format of `sha256sum -c`.

    There are two files to rename, so the checksum file names the new and the old digest while the data changes:
    whenever the process dies, what lies there is found to be good.
    """
    path = Path(path)
    new = hashlib.sha256(data).hexdigest()
    _write_digests(path, [new, *(_digests(path) if path.exists() else [])])
    write_bytes(path, data)
    _write_digests(path, [new])


def read_checked(path: PathLike) -> bytes:
    """The bytes of a file that was written by `write_checked`.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if the file has no checksum, or another one.
    """
    path = Path(path)
    for _ in range(2):  # Another process may have written both files between the two looks.
        data, digests = path.read_bytes(), _digests(path)
        found = hashlib.sha256(data).hexdigest()
        if found in digests:
            return data
    if not digests:
        raise DamagedFileError(f"{path} has no checksum in {sidecar(path).name}, so it may be damaged.")
    raise DamagedFileError(f"{path} is damaged: its sha256 is {found[:12]}..., {digests[0][:12]}... was written.")


def sidecar(path: Path) -> Path:
    """Where the sha256 of a file stands."""
    return path.with_name(path.name + ".sha256")


def remove_lonely_sidecars(folder: PathLike) -> None:
    """Removes checksums of files that are not there: what a kill between the two files of `write_checked` leaves."""
    for beside in Path(folder).glob("*.sha256"):
        if not beside.with_suffix("").exists():
            beside.unlink()


def _write_digests(path: Path, digests: list[str]) -> None:
    write_bytes(sidecar(path), "".join(f"{digest}  {path.name}\n" for digest in digests).encode())


def _digests(path: Path) -> list[str]:
    if not sidecar(path).exists():
        return []
    return [line.split()[0] for line in sidecar(path).read_text(errors="replace").splitlines() if line.strip()]
