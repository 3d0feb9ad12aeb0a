"""Which files lie in a folder, and which of them are passed over."""

import errno
import os
from pathlib import Path

from tfvae.data import annotations, metadata
from tfvae.data.folder.found import Reject
from tfvae.storage import reachable

SYSTEM_FOLDER = "a folder of a system's own"
_SYSTEM_FOLDERS = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "__pycache__", "lost+found",
                   ".ipynb_checkpoints")  # fmt: skip
_SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini")


def scan(root):
    """What lies in a folder: every file is taken for an image, whatever its name, but hidden ones and metadata.

    Links never lead out, and links to folders are not followed.

    Args:
        root: the folder, resolved.

    Returns:
        (files, metadata files, [`Reject`]), each below the root and in a fixed order.

    Raises:
        ValueError: if the folder itself cannot be read.
        UnreachableError: if one in it cannot, for another reason than a lack of permission.
    """
    files, tables, rejects = [], [], []

    def unreadable(error):
        if Path(error.filename) == root:
            raise ValueError(f"The folder {root} cannot be read: {error.strerror}.") from error
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise reachable.unreachable(error, error.filename) from error
        rejects.append(Reject(_below(root, error.filename), f"the folder cannot be read ({error.strerror})"))

    for folder, folders, names in os.walk(root, onerror=unreadable):
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                rejects.append(Reject(_below(root, os.path.join(folder, name)), "links to folders are not followed"))
        system = [name for name in folders if name in _SYSTEM_FOLDERS]
        rejects += [Reject(_below(root, os.path.join(folder, name)), SYSTEM_FOLDER) for name in system]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in system)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith(".") or name.lower() in _SYSTEM_FILES:
                continue
            if name.lower() == "metadata.parquet":
                raise ValueError(
                    f"{_below(root, path)} is not read. Write it as a table first: "
                    "`pandas.read_parquet('metadata.parquet').to_csv('metadata.csv', index=False)`, and move it away."
                )
            if not stays_inside(root, path):
                rejects.append(Reject(_below(root, path), "a symbolic link that leads out of the folder"))
            elif name in metadata.NAMES or annotations.is_annotation(name):
                tables.append(_below(root, path))
            else:
                files.append(_below(root, path))
    return sorted(files), tables, rejects


def stays_inside(root, path):
    """Whether a file is, its links followed, still below the root, a resolved path."""
    return not os.path.islink(path) or Path(os.path.realpath(path)).is_relative_to(root)


def stamp(path):
    """Size and time of a file: another image under its name has another one."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _below(root, path):
    return Path(path).relative_to(root).as_posix()
