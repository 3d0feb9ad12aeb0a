"""Every image of a folder checked, and told of what is known of it."""

import functools
import hashlib
import os
from pathlib import Path

from absl import logging

from tfvae import batch as batches
from tfvae import ranges
from tfvae.data import annotations, findings, images
from tfvae.data.folder.examples import groups_of, items_of, shapes_of
from tfvae.data.folder.found import Config, Folder, Reject, printable
from tfvae.data.folder.scan import scan
from tfvae.data.folder.tables import read_tables
from tfvae.progress import Progress
from tfvae.storage import reachable

_NAMED = 10  # Files of a kind that an error names.
_CHECKED_AT_ONCE = 200  # Files that one call checks, wherever it runs.


def survey(path, config=None, spread=map, known=None):
    """Checks every image in a folder and says what is known of it; memory holds one image at a time.

    Args:
        path: the folder.
        config: `Config`.
        spread: applies a function to values as `map` does, maybe in other processes that see the same files.
        known: file -> sha256 of its content, of the images that there were when a run began: others are passed over.

    Returns:
        `Folder`.

    Raises:
        ValueError: for a folder that is missing, unreadable or without one usable image, for metadata that cannot be
            read, for images of several sizes without `image_size`, and for known ones that are gone or others now.
        UnreachableError: where a machine that takes part cannot read a file.
    """
    config = config or Config()
    ranges.check(config)
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ValueError(f"There is no folder {path}; give one that holds images.")
    root = root.resolve()
    files, tables, rejects = scan(root)
    rows, repairs = read_tables(root, tables, files, rejects)
    if known:
        added = sum(file not in known for file in files)
        if added:
            logging.info("%s has %d more files than when the run began; they are passed over.", path, added)
        files = [file for file in files if file in known]
        rows = {file: row for file, row in rows.items() if file in known}
    looks, digests = {}, {}
    chunks = [files[i : i + _CHECKED_AT_ONCE] for i in range(0, len(files), _CHECKED_AT_ONCE)]
    checked = spread(functools.partial(_checked, root, config), chunks)
    for found, contents, bad in Progress().over(checked, functools.partial(_of_files, len(files))):
        looks |= found
        digests |= contents
        rejects += bad
    _check_known(known, digests, path)
    if not looks:
        raise ValueError(f"{path} holds no usable image. {_first_reasons(rejects)}")
    groups = groups_of(looks, rows, config)
    shapes = shapes_of(groups, looks, config)
    name_classes = not any(annotations.is_annotation(os.path.basename(table)) for table in tables)
    items, names = items_of(groups, rows, config, rejects, name_classes)
    class_names = names.pop(batches.LABEL)
    findings.check(items, path, name_classes)
    told = findings.findings(items, class_names, digests, name_classes)
    return Folder(root, items, class_names, shapes, sorted(rejects), dict(repairs), config, names, told, digests)


def _check_known(known, digests, path):
    """Refuses a folder that lacks images of a run, or has others under their names."""
    changed = [file for file, digest in (known or {}).items() if digests.get(file) != digest]
    if changed:
        gone = [file for file in changed if file not in digests]
        others = [file for file in changed if file in digests]
        told = [_listed(what, files) for what, files in (("gone", gone), ("other images now", others)) if files]
        raise ValueError(
            f"{path} is not the folder that the run began with: of its {len(known)} images are {'; '.join(told)}. "
            "Restore them, name the folder if it has moved (--data_path, or --config.data.path to train), or use a new "
            "--workdir; images may be added."
        )


def _listed(what, files):
    """`3 gone (a.png, b.png, c.png)`, at most ten by name."""
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return printable(f"{len(files)} {what} ({', '.join(files[:_NAMED])}{more})")


def _of_files(total, chunks):
    return f"checked {min(chunks * _CHECKED_AT_ONCE, total):,} of {total:,} files"


def _checked(root, config, files):
    """({file: what it looks like}, {file: hash of its content}, [`Reject`]) of some files, on whichever machine."""
    reachable.require(root)
    looks, digests, rejects = {}, {}, []
    colour_seen = config.color_mode != "auto"
    for file in files:
        try:
            looks[file] = images.check(root / file, config.max_pixels, ask_colour=not colour_seen)
            colour_seen = colour_seen or not looks[file].gray
            digests[file] = _digest(root / file)
        except images.BadImage as error:
            rejects.append(Reject(file, str(error)))
    return looks, digests, rejects


def _digest(path):
    try:
        with open(path, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise reachable.unreachable(error, path) from error


def _first_reasons(rejects):
    if not rejects:
        return "It is empty: put images there, a folder for each class."
    listed = "; ".join(f"{reject.file}: {reject.reason}" for reject in rejects[:3])
    return f"{len(rejects)} files were rejected, the first: {listed}."
