"""A folder of images as a user keeps it: which images it holds, what is known of each, which cannot be used and why.

    photos/<class>/*.jpg         labelled by the name of the folder
    photos/unlabelled/*.jpg      bare, as is every image at the top that no metadata row names
    photos/<split>/<class>/...   `train`, `validation` and `test` folders set the split
    photos/metadata.csv          or .jsonl: `file_name` and any of `label`, `caption`, `tags`, `pair`, `split`
    photos/captions_*.json       captions of COCO, photos/*.token.txt of Flickr with its lists of splits, and
                                 photos/dataset_*.json of Karpathy & Li: beside them a folder names no class

What metadata says of an image goes before what its folder says.
"""

import collections
import dataclasses
import functools
import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from tfvae.data import annotations, images, metadata
from tfvae.data.rows import NO_LABEL, Rows

BARE_FOLDERS = ("unlabelled", "unlabeled")
SPLITS = ("train", "validation", "test")
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
    """One usable image.

    file: its path below the folder, with forward slashes.
    label: index of its class, `NO_LABEL` for a bare one.
    """

    file: str
    label: int
    split: str
    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pair: str | None = None


class Reject(NamedTuple):
    """A file that is not used, and why."""

    file: str
    reason: str


class Folder(NamedTuple):
    """What a folder was found to hold.

    image_shape: (H, W, C) of every image once it is read by `pixels`.
    repairs: what was done to captions -> how often.
    """

    root: Path
    items: list[Item]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    rejects: list[Reject]
    repairs: dict[str, int]
    config: Config

    def pixels(self, item):
        """uint8 [H, W, C] of one item.

        Raises:
            ValueError: if the file is no longer what it was when the folder was surveyed.
        """
        try:
            image = images.read(
                self.root / item.file, self.config.image_size, self.image_shape[-1] == 1, self.config.max_pixels
            )
        except (images.BadImage, OSError) as error:
            raise ValueError(f"{item.file} changed while the folder was read: {error}. Start again.") from error
        if image.shape != self.image_shape:
            raise ValueError(
                f"{item.file} changed while the folder was read: it is {image.shape} now, not {self.image_shape}. "
                "Start again."
            )
        return image

    def summary(self):
        """A table of what was found, for people."""
        return _summary(self)


def survey(path, config=None, spread=map):
    """Checks every image in a folder and says what is known of it; memory holds one image at a time.

    Args:
        path: the folder.
        config: `Config`.
        spread: applies a function to values as `map` does, maybe in other processes that see the same files.

    Returns:
        `Folder`.

    Raises:
        ValueError: for a folder that is missing, unreadable or without one usable image, for metadata that cannot be
            read, and for images of several sizes without `image_size`.
    """
    config = config or Config()
    config.validate()
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ValueError(f"There is no folder {path}; give one that holds images.")
    root = root.resolve()
    files, tables, rejects = _scan(root)
    rows, repairs = _read_tables(root, tables, files, rejects)
    looks = {}
    chunks = [files[i : i + _CHECKED_AT_ONCE] for i in range(0, len(files), _CHECKED_AT_ONCE)]
    for found, bad in spread(functools.partial(_checked, root, config), chunks):
        looks |= found
        rejects += bad
    if not looks:
        raise ValueError(f"{path} holds no usable image. {_first_reasons(rejects)}")
    image_shape = (*_common_size(looks, config), _channels(looks, config))
    name_classes = not any(annotations.is_annotation(os.path.basename(table)) for table in tables)
    items, class_names = _items(list(looks), rows, config, rejects, name_classes)
    return Folder(root, items, class_names, image_shape, sorted(rejects), dict(repairs), config)


def _checked(root, config, files):
    """({file: what it looks like}, [`Reject`]) of some files."""
    looks, rejects = {}, []
    colour_seen = config.color_mode != "auto"
    for file in files:
        try:
            looks[file] = images.check(root / file, config.max_pixels, ask_colour=not colour_seen)
            colour_seen = colour_seen or not looks[file].gray
        except images.BadImage as error:
            rejects.append(Reject(file, str(error)))
    return looks, rejects


def _scan(root):
    """(files, metadata files) below the root in a fixed order, and the first rejects; links never lead out."""
    files, tables, rejects = [], [], []

    def unreadable(error):
        if Path(error.filename) == root:
            raise ValueError(f"The folder {root} cannot be read: {error.strerror}.") from error
        rejects.append(Reject(_below(root, error.filename), f"the folder cannot be read ({error.strerror})"))

    for folder, folders, names in os.walk(root, onerror=unreadable):
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                rejects.append(Reject(_below(root, os.path.join(folder, name)), "links to folders are not followed"))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith(".") or name in ("Thumbs.db", "desktop.ini"):
                continue
            if not stays_inside(root, path):
                rejects.append(Reject(_below(root, path), "a symbolic link that leads out of the folder"))
            elif name in metadata.NAMES or annotations.is_annotation(name):
                tables.append(_below(root, path))
            else:
                files.append(_below(root, path))
    return sorted(files), tables, rejects


def _read_tables(root, tables, files, rejects):
    """{file: metadata.Row} of all metadata files; rows that name no file of the folder are rejected."""
    known, rows, repairs = set(files), {}, collections.Counter()
    for table in tables:
        loose = annotations.is_annotation(os.path.basename(table))
        found, repaired = (annotations if loose else metadata).read(root / table)
        repairs.update(repaired)
        named = _by_name(files) if loose else {}
        missing = []
        for row in found:
            name = row.file_name.replace("\\", "/")
            file = os.path.normpath(os.path.join(os.path.dirname(table), name)).replace(os.sep, "/")
            file = file if file in known else named.get(os.path.basename(name), file)
            if os.path.isabs(name) or file == ".." or file.startswith("../"):
                rejects.append(Reject(row.file_name, f"{table} names a file outside of the folder"))
            elif file not in known:
                missing.append(file)
            else:
                _add_row(rows, file, row, rejects)
        rejects += _missing(table, list(dict.fromkeys(missing)), each=not loose)
    return rows, repairs


def _by_name(files):
    """{base name: file} of the files whose base name no other has."""
    counts = collections.Counter(map(os.path.basename, files))
    return {os.path.basename(file): file for file in files if counts[os.path.basename(file)] == 1}


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


def _items(files, rows, config, rejects, name_classes):
    """Items with a split for each, and the class names; `name_classes` is whether folders name any."""
    # Where metadata gives labels, an image's own row decides, and an empty label is none; folders name the others.
    of_table = any(row.label is not None for row in rows.values())
    drafts = []
    for file in files:
        split, label = _of_folders(file)
        label = label if name_classes else None
        row = rows.get(file, metadata.Row(file))
        label = row.label if of_table and file in rows else label
        drafts.append((file, label, row.split or split, row))
    names = {label for _, label, _, _ in drafts if label is not None}
    if len(names) == 1 and not of_table and any(row.captions for *_, row in drafts):
        # One folder for all images of a set with captions, such as `images/`, is no class.
        names, drafts = set(), [(file, None, split, row) for file, _, split, row in drafts]
    class_names = _sorted_names(names)
    if class_names:
        for file, label, split, row in drafts:
            if not _can_be_compared(label, row) and split in ("validation", "test"):
                rejects.append(Reject(file, f"of the split {split!r}, but without a label or caption to compare with"))
        drafts = [draft for draft in drafts if _can_be_compared(draft[1], draft[3]) or draft[2] in (None, "train")]
    splits = _draw_splits(drafts, bool(class_names), config)
    index = {name: i for i, name in enumerate(class_names)}
    return [
        Item(file, index.get(label, NO_LABEL), splits[file], row.captions, row.tags, row.pair)
        for file, label, _, row in drafts
    ], class_names  # fmt: skip


def _of_folders(file):
    """(split, label) that the folders of a file say, None for what they do not."""
    folders = PurePosixPath(file).parts[:-1]
    split = metadata.split_name(folders[0]) if folders else None
    folders = folders[1:] if split else folders
    label = folders[0] if folders and folders[0].lower() not in BARE_FOLDERS else None
    return split, label


def _draw_splits(drafts, has_labels, config):
    """{file: split}. A draw takes the same share of every class, by a hash of the name, and leaves bare images be.

    Images with captions and no label are a class of their own.
    """
    splits = {file: split or "train" for file, _, split, _ in drafts}
    given = {split for _, _, split, _ in drafts}
    shares = {
        "test": 0.0 if "test" in given else config.test_fraction,
        "validation": 0.0 if "validation" in given else config.validation_fraction,
    }
    pools = collections.defaultdict(list)
    for file, label, split, row in drafts:
        if split is None and (_can_be_compared(label, row) or not has_labels):
            pools[label].append(file)
    for pool in pools.values():
        pool.sort(key=lambda file: order_key(config.seed, file))
        start = 0
        for split, share in shares.items():
            # Even a small class is asked about, as long as one of its images is left to train on.
            num = max(round(share * len(pool)), 1) if share and len(pool) - start > 1 and len(pool) > 2 else 0
            splits.update(dict.fromkeys(pool[start : start + num], split))
            start += num
    return splits


def _can_be_compared(label, row):
    return label is not None or bool(row.captions)


def order_key(seed, file):
    """A number that puts files into an arbitrary order, the same on every machine."""
    return hashlib.sha256(f"{seed}/{file}".encode("utf-8", "surrogateescape")).digest()


def _common_size(looks, config):
    if config.image_size:
        return config.image_size, config.image_size
    sizes = collections.Counter(look.size for look in looks.values())
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height} ({num} images)" for (height, width), num in sizes.most_common(5))
        more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
        smallest = min(min(size) for size in sizes)
        raise ValueError(
            f"The images have {len(sizes)} sizes: {listed}{more}. Give one size for all, for example "
            f"`--image_size={smallest}` to ingest, or `--config.data.image_size={smallest}` to train on the folder."
        )
    return next(iter(sizes))


def _channels(looks, config):
    if config.color_mode == "auto":
        return 1 if all(look.gray for look in looks.values()) else 3
    return 1 if config.color_mode == "gray" else 3


def _sorted_names(names):
    """Class names in the order of their indices: by number where all are numbers."""
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


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
    height, wide, channels = folder.image_shape
    lines.append(f"images are {wide} x {height}, {'gray' if channels == 1 else 'colour'}")
    captions = sum(len(item.captions) for item in folder.items)
    if captions or folder.repairs:
        repairs = "".join(f", {what}: {num}" for what, num in sorted(folder.repairs.items()))
        lines.append(f"captions: {captions}{repairs}")
    lines.append(f"rejected: {len(folder.rejects)}")
    lines += [f"  {reject.file}: {reject.reason}" for reject in folder.rejects[:20]]
    if len(folder.rejects) > 20:
        lines.append(f"  and {len(folder.rejects) - 20} more")
    return printable("\n".join(lines))


def printable(text):
    """Text with a question mark for what has no UTF-8: file names may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def stack(folder, items):
    """`Rows` of these items."""
    image = np.empty((len(items), *folder.image_shape), np.uint8)
    for i, item in enumerate(items):
        image[i] = folder.pixels(item)
    label = np.array([item.label for item in items], np.int64).reshape(-1)
    captions = tuple(item.captions for item in items) if any(item.captions for item in items) else ()
    return Rows(image, label, captions)
