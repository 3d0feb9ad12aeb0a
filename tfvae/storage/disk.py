"""When something lies on the disk, not only in the memory of the machine."""

import os
from pathlib import Path

# What a path may be given as.
PathLike = str | os.PathLike[str]


def sync(path: PathLike) -> None:
    """Waits until a file or a folder lies on the disk; a rename does once its folder does."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: PathLike) -> None:
    """Waits until a folder and everything in it lies on the disk."""
    for path in (*Path(folder).rglob("*"), folder):
        sync(path)
