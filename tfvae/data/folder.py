"""A folder of images as a user keeps it: which images it holds, what is known of each, which cannot be used and why.

    photos/<class>/*.jpg         labelled by the name of the folder
    photos/unlabelled/*.jpg      unlabelled, as is every image at the top that no metadata row names
    photos/<split>/<class>/...   `train`, `validation` and `test` folders set the split
    photos/image/<...>/a.png     and photos/image_<name>/<...>/a.png: images of one example, of several modalities
    photos/metadata.csv          or .jsonl: `file_name` and any of `label`, `caption`, `tags`, `factors.<name>`,
                                 `split`, `pair` and `image_<name>`
    photos/captions_*.json       captions of COCO, photos/*.token.txt of Flickr with its lists of splits, and
                                 photos/dataset_*.json of Karpathy & Li: beside them a folder names no class

What metadata says of an image goes before what its folder says.
"""

import collections
import dataclasses
import errno
import functools
import hashlib
import itertools
import os
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from tfvae import batch as batches
from tfvae.data import annotations, entries, findings, images, metadata
from tfvae.data.columns import partial
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples
from tfvae.progress import Progress
from tfvae.storage import reachable

UNLABELLED_FOLDERS = ("unlabelled", "unlabeled")
SPLITS = ("train", "validation", "test")
SYSTEM_FOLDER = "a folder of a system's own"
_SYSTEM_FOLDERS = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "__pycache__", "lost+found",
                   ".ipynb_checkpoints")  # fmt: skip
_SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini")
_NAMED = 10  # Files of a kind that an error names.
_CHECKED_AT_ONCE = 200  # Files that one call checks, wherever it runs.


@dataclasses.dataclass
class Config:
    """How a folder is read.

    Args:
        image_size: N: the shorter side is resized to N, then N x N pixels are cut from the centre; 0 keeps the size,
            which all images must then share.
        color_mode: `auto` (gray if every image is), `gray` or `rgb`.
        max_pixels: larger images are refused from their header.
        validation_fraction: of the images without a split of the user's, where no image has the split `validation`.
        test_fraction: the same for `test`.
        seed: of these draws.
    """

    image_size: int = 0
    color_mode: str = "auto"
    max_pixels: int = images.MAX_PIXELS
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 0

    def validate(self):
        """Raises ValueError for settings that no folder can be read with."""
        if self.image_size < 0:
            raise ValueError(
                f"`image_size` must be a positive number of pixels, or 0 to keep sizes, got {self.image_size}."
            )
        if self.color_mode not in images.COLOR_MODES:
            raise ValueError(f"`color_mode` must be one of {images.COLOR_MODES}, got {self.color_mode!r}.")
        if self.max_pixels < 1:
            raise ValueError(f"`max_pixels` must be at least 1, got {self.max_pixels}.")
        fractions = self.validation_fraction, self.test_fraction
        if min(fractions) < 0 or sum(fractions) >= 1:
            raise ValueError(
                "`validation_fraction` and `test_fraction` must not be negative and must leave something to train on, "
                f"got {fractions[0]} and {fractions[1]}."
            )


class Item(NamedTuple):
    """One usable example.

    files: modality -> path below the folder, with forward slashes.
    split: `train`, `validation` or `test`.
    values: entry -> value as it is stored, of the entries that it has.
    """

    files: dict[str, str]
    split: str
    values: dict[str, Any]

    @property
    def file(self):
        """Of the first image that it has."""
        return next(iter(self.files.values()))

    @property
    def label(self):
        """Index of its class, `NO_LABEL` for none."""
        return self.values.get(batches.LABEL, NO_LABEL)

    def has(self, names):
        """Whether it has all of these entries."""
        return all(name in self.files or name in self.values for name in names)


class Reject(NamedTuple):
    """A file that is not used, and why."""

    file: str
    reason: str


class Folder(NamedTuple):
    """What a folder was found to hold.

    shapes: modality -> (H, W, C) of every such image once it is read by `pixels`, the first one first.
    repairs: what was done to captions -> how often.
    names: entry -> what its numbers or places are called, `label` apart.
    findings: what of it may be meant otherwise than it is read, for people.
    digests: file -> sha256 of its content, of usable images.
    """

    root: Path
    items: list[Item]
    class_names: tuple[str, ...]
    shapes: dict[str, tuple[int, int, int]]
    rejects: list[Reject]
    repairs: dict[str, int]
    config: Config
    names: dict[str, tuple[str, ...]]
    findings: tuple[str, ...] = ()
    digests: dict[str, str] = MappingProxyType({})

    @property
    def image_shape(self):
        """(H, W, C) of the first image of every example."""
        return self.shapes[batches.IMAGE]

    def stream(self, item):
        """The richest stream that an item can be a row of."""
        of_data = batches.streams(tuple(self.shapes))
        return next(stream for stream, needed in of_data.items() if item.has(needed))

    def pixels(self, item, name=batches.IMAGE):
        """uint8 [H, W, C] of one image of an item.

        Raises:
            ValueError: if the file is no longer what it was when the folder was surveyed.
            UnreachableError: where this machine cannot read it.
        """
        file, shape = item.files[name], self.shapes[name]
        try:
            image = images.read(self.root / file, self.config.image_size, shape[-1] == 1, self.config.max_pixels)
        except images.BadImage as error:
            raise ValueError(f"{file} changed while the folder was read: {error}. Start again.") from error
        if image.shape != shape:
            raise ValueError(
                f"{file} changed while the folder was read: it is {image.shape} now, not {shape}. Start again."
            )
        return image

    def summary(self):
        """A table of what was found, for people."""
        return _summary(self)


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
    config.validate()
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ValueError(f"There is no folder {path}; give one that holds images.")
    root = root.resolve()
    files, tables, rejects = scan(root)
    rows, repairs = _read_tables(root, tables, files, rejects)
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
    groups = _groups(looks, rows)
    shapes = _shapes(groups, looks, config)
    name_classes = not any(annotations.is_annotation(os.path.basename(table)) for table in tables)
    items, names = _items(groups, rows, config, rejects, name_classes)
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


def _read_tables(root, tables, files, rejects):
    """{file: Annotation} of all metadata files; rows that name no file of the folder are rejected.

    What a table says stands against those after it: metadata, then Karpathy's splits, then other files of captions.
    """
    known, rows, repairs = set(files), {}, collections.Counter()
    named = _by_name(files)
    for table in sorted(tables, key=lambda table: annotations.rank(os.path.basename(table))):
        loose = annotations.is_annotation(os.path.basename(table))
        found, repaired = (annotations if loose else metadata).read(root / table)
        repairs.update(repaired)
        if not found:
            rejects.append(Reject(table, "a table without rows"))
        of_table, missing, several, used = {}, [], [], 0
        for row in found:
            paths = {name: _path(root, table, file, known, named, loose) for name, file in row.further.items()}
            file = _path(root, table, row.file_name, known, named, loose)
            outside = [path for path in (file, *paths.values()) if _leads_out(path)]
            if outside and not loose:
                rejects.append(Reject(row.file_name, f"{table} names a file outside of the folder"))
                continue
            lacking = [path for path in dict.fromkeys((file, *paths.values())) if path not in known]
            several += [path for path in lacking if loose and os.path.basename(path) in named]
            missing += [path for path in lacking if not (loose and os.path.basename(path) in named)]
            there = {name: path for name, path in paths.items() if path in known}
            # What is said of an example whose first image is missing holds for its other one.
            file = file if file in known else next(iter(there.values()), None)
            if file is not None:
                used += 1
                _add_row(of_table if loose else rows, file, row._replace(further=there), rejects)
        if missing and not used and not loose:
            raise ValueError(
                f"{table}: none of its {len(found)} rows names a file of the folder, such as {missing[0]}. Names are "
                "relative to the table's own folder."
            )
        for file, row in of_table.items():
            _add_row(rows, file, _but_for(row, rows.get(file), repairs), rejects)
        rejects += _missing(table, list(dict.fromkeys(missing)), each=not loose)
        rejects += _ambiguous(table, list(dict.fromkeys(several)))
    return rows, repairs


def _path(root, table, name, known, named, loose):
    """The path below the root of a file that a table names.

    Tables of metadata name it by its path from the table. Files of captions were made where the images lay elsewhere:
    they mean the one file that shares most of the end of its path with the name, and none where several do.
    """
    name = name.replace("\\", "/")
    place = os.path.relpath(name, root) if name.startswith(f"{root}/") else os.path.join(os.path.dirname(table), name)
    file = os.path.normpath(place).replace(os.sep, "/")
    if file in known or not loose:
        return file
    shared = [(_shared_end(other, name), other) for other in named.get(os.path.basename(name), ())]
    most = max(shared, default=(0, ""))[0]
    best = [other for num, other in shared if num == most]
    return best[0] if len(best) == 1 else file


def _shared_end(file, name):
    """How many of the last parts of two paths are the same."""
    pairs = zip(reversed(file.split("/")), reversed(name.split("/")), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _but_for(row, before, repairs):
    """A row of a file of captions without what tables before it say already, or say otherwise."""
    if before is None:
        return row
    if None not in (row.split, before.split) and row.split != before.split:
        repairs["split that two tables give otherwise, that of the first is kept"] += 1
        row = row._replace(split=None)
    said = before.values.get(batches.CAPTION, ())
    captions = tuple(text for text in row.values.get(batches.CAPTION, ()) if text not in said)
    again = len(row.values.get(batches.CAPTION, ())) - len(captions)
    if again:
        repairs["caption that several files give, taken once"] += again
    return row._replace(values=_but(row.values, batches.CAPTION) | ({batches.CAPTION: captions} if captions else {}))


def _leads_out(path):
    return os.path.isabs(path) or path == ".." or path.startswith("../")


def _by_name(files):
    """{base name: files}."""
    named = collections.defaultdict(list)
    for file in files:
        named[os.path.basename(file)].append(file)
    return dict(named)


def _ambiguous(table, files):
    """At most one reject for all names that several files have."""
    if not files:
        return []
    what = f"names {len(files)} images by a name that several files of the folder have, such as {files[0]}"
    return [Reject(table, f"{what}: give more of their paths")]


def _missing(table, files, each):
    """Rejects of files that a table names and the folder lacks: one for each, or one for all of them."""
    if each or not files:
        return [Reject(file, f"{table} names it, but the folder has no such file") for file in files]
    return [Reject(table, f"names {len(files)} images that the folder does not have, such as {files[0]}")]


def _add_row(rows, file, row, rejects):
    try:
        rows[file] = rows[file].merge(row) if file in rows else row
    except ValueError as error:
        rejects.append(Reject(file, f"a metadata row is left out: {error}"))


def _groups(files, rows):
    """[{modality: file}] of all usable files: those that tables or folders put together, and every other one alone.

    Raises:
        ValueError: for a file that belongs to two examples.
    """
    groups = {}
    for file, row in rows.items():
        if row.further:
            first = {} if file in row.further.values() else {batches.IMAGE: file}
            groups[file] = first | row.further
    groups |= _of_modality_folders([file for file in files if file not in rows or not rows[file].further])
    taken = {}
    for group in groups.values():
        for file in group.values():
            if file in taken and taken[file] != set(group.values()):
                raise ValueError(
                    f"{file} belongs to two examples, {sorted(taken[file])} and {sorted(group.values())}: a pair names "
                    "two files, and a file one pair."
                )
            taken[file] = set(group.values())
    # A pair that both of its files name is one.
    whole = {tuple(sorted(group.values())): group for group in groups.values()}.values()
    usable = [{name: group[name] for name in sorted(group) if group[name] in files} for group in whole]
    alone = [{batches.IMAGE: file} for file in files if file not in taken]
    return sorted((group for group in [*usable, *alone] if group), key=lambda group: next(iter(group.values())))


def _of_modality_folders(files):
    """{path without the modality's folder and the suffix: {modality: file}}, where there are several such folders."""
    found = collections.defaultdict(dict)
    for file in files:
        modality, key = _modality(file)
        if modality:
            if modality in found[key]:
                raise ValueError(f"{found[key][modality]} and {file} differ in their suffix alone: keep one of them.")
            found[key][modality] = file
    modalities = {modality for group in found.values() for modality in group}
    return found if batches.IMAGE in modalities and len(modalities) > 1 else {}


def _modality(file):
    """(modality, the rest of the path without its suffix) of a file in a folder called so, or (None, "")."""
    path = PurePosixPath(file)
    split = metadata.split_name(path.parts[0]) if len(path.parts) > 1 else None
    place = 1 if split else 0
    if len(path.parts) < place + 2 or not batches.is_image(path.parts[place]):
        return None, ""
    rest = [part for i, part in enumerate(path.with_suffix("").parts) if i != place]
    return path.parts[place], "/".join(rest)


def _shapes(groups, looks, config):
    """{modality: (H, W, C)}, the first one first."""
    files = collections.defaultdict(list)
    for group in groups:
        for name, file in group.items():
            files[entries.named(name).name].append(file)
    if batches.IMAGE not in files:
        raise ValueError(f"Every example lacks its first image, there are only {sorted(files)}. Name one `image`.")
    of_modality = {name: {file: looks[file] for file in files[name]} for name in sorted(files)}
    return {
        name: (*_common_size(found, config, name if len(files) > 1 else ""), _channels(found, config))
        for name, found in of_modality.items()
    }


def _items(groups, rows, config, rejects, name_classes):
    """(items with a split for each, names of their entries' numbers or places)."""
    modalities = {name for group in groups for name in group}
    in_folders = len(modalities) > 1 and bool(_of_modality_folders([f for group in groups for f in group.values()]))
    # Where metadata gives labels, an image's own row decides, and an empty label is none; folders name the others.
    of_table = any(batches.LABEL in row.values for row in rows.values())
    drafts = []
    for group in groups:
        file = next(iter(group.values()))
        split, label = _of_folders(file, in_folders)
        row = _annotation_of(group, rows, rejects)
        values = dict(row.values) if row else {}
        if not (of_table and row) and label is not None and name_classes:
            values.setdefault(batches.LABEL, label)
        drafts.append(_Draft(group, values, row.split if row and row.split else split))
    drafts = _without_a_class_of_all(drafts, of_table)
    has_labels = any(batches.LABEL in draft.values for draft in drafts)
    drafts = [draft for draft in drafts if _can_be_held_out(draft, modalities, has_labels, rejects)]
    splits = _draw_splits(drafts, modalities, has_labels, config)
    stored, names = _stored([draft.values for draft in drafts])
    return [Item(draft.files, splits[draft.file], of) for draft, of in zip(drafts, stored, strict=True)], names


class _Draft(NamedTuple):
    """An example on its way to an `Item`: values as they are annotated, the split as the user gives it."""

    files: dict[str, str]
    values: dict[str, Any]
    split: str | None

    @property
    def file(self):
        return next(iter(self.files.values()))

    def is_judged(self, modalities):
        """Whether a model can be judged by it: it has all of several images, or an entry that is judged."""
        if len(modalities) > 1:
            return len(self.files) == len(modalities)
        return any(entries.named(name).judged for name in self.values)


def _annotation_of(group, rows, rejects):
    """What tables say of an example, whichever of its files they name; None for nothing."""
    found = [rows[file] for file in group.values() if file in rows]
    merged = found[0] if found else None
    for other in found[1:]:
        try:
            merged = merged._replace(further={}).merge(other._replace(further={}))
        except ValueError as error:
            rejects.append(Reject(next(iter(group.values())), f"a metadata row is left out: {error}"))
    return merged


def _without_a_class_of_all(drafts, of_table):
    """One folder for all images of a set with captions, such as `images/`, is no class."""
    names = {draft.values[batches.LABEL] for draft in drafts if batches.LABEL in draft.values}
    if len(names) != 1 or of_table or not any(batches.CAPTION in draft.values for draft in drafts):
        return drafts
    return [draft._replace(values=_but(draft.values, batches.LABEL)) for draft in drafts]


def _but(values, name):
    return {other: value for other, value in values.items() if other != name}


def _can_be_held_out(draft, modalities, has_labels, rejects):
    """Whether an example may keep its split; those that a model cannot be judged by are for training alone."""
    if draft.split in (None, "train") or draft.is_judged(modalities):
        return True
    if len(modalities) > 1:
        rejects.append(Reject(draft.file, f"of the split {draft.split!r}, but without its other image"))
        return False
    if has_labels:
        rejects.append(
            Reject(draft.file, f"of the split {draft.split!r}, but without a label or caption to compare with")
        )
    return not has_labels


def _stored(values):
    """(values as they are stored, names) of all examples."""
    stored, names = [dict(of) for of in values], {batches.LABEL: ()}
    for name in dict.fromkeys(name for of in values for name in of):
        numbered, of_entry = entries.named(name).numbered([of.get(name) for of in values])
        if of_entry:
            names[name] = of_entry
        for of, value in zip(stored, numbered, strict=True):
            if value is not None:
                of[name] = value
    return stored, names


def _of_folders(file, in_modalities=False):
    """(split, label) that the folders of a file say, None for what they do not."""
    folders = PurePosixPath(file).parts[:-1]
    split = metadata.split_name(folders[0]) if folders else None
    folders = folders[1:] if split else folders
    folders = folders[1:] if in_modalities and _modality(file)[0] else folders
    label = folders[0] if folders and folders[0].lower() not in UNLABELLED_FOLDERS else None
    return split, label


def _draw_splits(drafts, modalities, has_labels, config):
    """{file: split}. A draw takes the same share of every class, by a hash of the name, and leaves alone what a model
    cannot be judged by. Images with captions and no label are a class of their own.
    """
    splits = {draft.file: draft.split or "train" for draft in drafts}
    given = {draft.split for draft in drafts}
    shares = {
        "test": 0.0 if "test" in given else config.test_fraction,
        "validation": 0.0 if "validation" in given else config.validation_fraction,
    }
    several = len(modalities) > 1
    pools = collections.defaultdict(list)
    for draft in drafts:
        if draft.split is None and (draft.is_judged(modalities) or not (has_labels or several)):
            pools[draft.values.get(batches.LABEL)].append(draft.file)
    for pool in pools.values():
        pool.sort(key=lambda file: order_key(config.seed, file))
        start = 0
        for split, share in shares.items():
            # Even a small class is asked about, as long as one of its images is left to train on.
            num = max(round(share * len(pool)), 1) if share and len(pool) - start > 1 and len(pool) > 2 else 0
            splits.update(dict.fromkeys(pool[start : start + num], split))
            start += num
    return splits


def order_key(seed, file):
    """A number that puts files into an arbitrary order, the same on every machine."""
    return hashlib.sha256(f"{seed}/{file}".encode("utf-8", "surrogateescape")).digest()


def _common_size(looks, config, name=""):
    if config.image_size:
        return config.image_size, config.image_size
    sizes = collections.Counter(look.size for look in looks.values())
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height} ({num} images)" for (height, width), num in sizes.most_common(5))
        more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
        smallest = min(min(size) for size in sizes)
        raise ValueError(
            f"The images{f' of `{name}`' if name else ''} have {len(sizes)} sizes: {listed}{more}. Give one size for "
            f"all, for example `--image_size={smallest}` to ingest, or `--config.data.image_size={smallest}` to train "
            f"on the folder{'; or are some files of two modalities in the place of each other?' if name else '.'}"
        )
    return next(iter(sizes))


def _channels(looks, config):
    if config.color_mode == "auto":
        return 1 if all(look.gray for look in looks.values()) else 3
    return 1 if config.color_mode == "gray" else 3


def stays_inside(root, path):
    """Whether a file is, its links followed, still below the root, a resolved path."""
    return not os.path.islink(path) or Path(os.path.realpath(path)).is_relative_to(root)


def stamp(path):
    """Size and time of a file: another image under its name has another one."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _below(root, path):
    return Path(path).relative_to(root).as_posix()


def _first_reasons(rejects):
    if not rejects:
        return "It is empty: put images there, a folder for each class."
    listed = "; ".join(f"{reject.file}: {reject.reason}" for reject in rejects[:3])
    return f"{len(rejects)} files were rejected, the first: {listed}."


def _summary(folder):
    counts = collections.Counter((item.label, item.split) for item in folder.items)
    labels = [*range(len(folder.class_names)), *([NO_LABEL] if any(label == NO_LABEL for label, _ in counts) else [])]
    names = ["(unlabelled)" if label == NO_LABEL else folder.class_names[label] for label in labels]
    width = max(len(name) for name in [*names, "total", "class"])
    lines = [f"{'class':<{width}}" + "".join(f"{split:>12}" for split in SPLITS)]
    for label, name in zip(labels, names):
        lines.append(f"{name:<{width}}" + "".join(f"{counts[label, split]:>12}" for split in SPLITS))
    totals = [sum(num for (_, of), num in counts.items() if of == split) for split in SPLITS]
    lines.append(f"{'total':<{width}}" + "".join(f"{num:>12}" for num in totals))
    for name, (height, wide, channels) in folder.shapes.items():
        said = f"images are {wide} x {height}, {'gray' if channels == 1 else 'colour'}"
        lines.append(said if len(folder.shapes) == 1 else f"{name}: {_count(folder, name)}, {said}")
    if len(folder.shapes) > 1:
        whole = sum(len(item.files) == len(folder.shapes) for item in folder.items)
        lines.append(f"with all of their images: {whole}; the others are for training alone")
    for name in entries.kinds():
        lines += _said(folder, name)
    kinds = tuple(entries.kinds())
    lines += [f"{what}: {num}" for what, num in sorted(folder.repairs.items()) if not what.startswith(kinds)]
    lines += [f"note: {finding}" for finding in folder.findings]
    lines.append(f"rejected: {len(folder.rejects)}")
    lines += [f"  {reject.file}: {reject.reason}" for reject in folder.rejects[:20]]
    if len(folder.rejects) > 20:
        lines.append(f"  and {len(folder.rejects) - 20} more")
    return printable("\n".join(lines))


def _count(folder, name):
    return sum(name in item.files for item in folder.items)


def _said(folder, name):
    """The line about one kind of entry, with what was done to its values; none where there is nothing to say."""
    line = entries.named(name).summary([item.values[name] for item in folder.items if name in item.values])
    repairs = [f"{what}: {num}" for what, num in sorted(folder.repairs.items()) if what.startswith(name)]
    said = [text for text in (line or ("" if name == batches.LABEL else f"{name}: 0"), *repairs) if text]
    return [", ".join(said)] if line or repairs else []


def printable(text):
    """Text with a question mark for what has no UTF-8: file names may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def stack(folder, items, names=()):
    """`Examples` of these items.

    Args:
        folder: `Folder`.
        items: some of its items.
        names: entries that are read beside images, labels and captions.
    """
    columns = {name: _images(folder, items, name) for name in folder.shapes}
    for entry in entries.kinds().values():
        if not batches.is_image(entry.name) and (entry.always or entry.name in names):
            columns[entry.name] = entry.named(folder.names.get(entry.name, ())).stack(
                [item.values.get(entry.name) for item in items]
            )
    return Examples(**columns)


def _images(folder, items, name):
    has = np.array([name in item.files for item in items], bool)
    image = np.empty((int(has.sum()), *folder.shapes[name]), np.uint8)
    for i, item in enumerate(item for item in items if name in item.files):
        image[i] = folder.pixels(item, name)
    return partial(image, has)
