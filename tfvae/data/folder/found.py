"""What a folder was found to hold, and the examples that are read of it."""

import collections
import dataclasses
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tfvae import batch as batches
from tfvae import ranges
from tfvae.data import entries, images
from tfvae.data.columns import partial
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples

# Its folders are called like those of the modalities, and its images belong to no pair whatever their names.
UNPAIRED_FOLDER = "unpaired"
SPLITS = ("train", "validation", "test")


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
        modalities: names of the folders of an example's images, the first one's first; empty for `image` and
            `image_<name>`.
    """

    image_size: int = ranges.field(0, ranges.IMAGE_SIDES)
    color_mode: str = ranges.field("auto", ranges.Choices(images.COLOR_MODES))
    max_pixels: int = ranges.field(images.MAX_PIXELS, ranges.PIXELS)
    validation_fraction: float = ranges.field(0.1, ranges.BELOW_ONE)
    test_fraction: float = ranges.field(0.1, ranges.BELOW_ONE)
    seed: int = ranges.field(0, ranges.SEEDS)
    modalities: tuple[str, ...] = ranges.field((), ranges.Text("a folder's name"))

    def validate(self):
        """Raises ValueError for settings that no folder can be read with."""
        wrong = [
            name for name in self.modalities if not re.fullmatch(r"\w+", name, re.ASCII) or name == UNPAIRED_FOLDER
        ]
        if wrong or len(self.modalities) == 1 or len(set(self.modalities)) < len(self.modalities):
            raise ValueError(
                "`modalities` are the names of two folders at least, each another one, of letters, digits and `_` "
                f"(signatures are called after them), got {self.modalities}."
            )
        fractions = self.validation_fraction, self.test_fraction
        if sum(fractions) >= 1:
            raise ValueError(
                "`validation_fraction` and `test_fraction` must leave something to train on, got "
                f"{fractions[0]} and {fractions[1]}."
            )

    def entry_of(self, name):
        """The entry of the images in a folder of this name, `image` or `image_<name>`; None for another folder."""
        if not self.modalities:
            return name if batches.is_image(name) else None
        if name not in self.modalities:
            return None
        return batches.IMAGE if name == self.modalities[0] else f"{batches.IMAGE}_{name.removeprefix('image_')}"


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
        alone = [f"{name}: {num}" for name in folder.shapes if (num := _alone(folder, name))]
        lines.append(
            f"with all of their images: {whole}; the others are for training alone"
            + (f" (without any other image {', '.join(alone)})" if alone else "")
        )
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


def _alone(folder, name):
    return sum(tuple(item.files) == (name,) for item in folder.items)


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
