"""Examples in memory, and what a source delivers."""

import hashlib
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tfvae.batch import CAPTION, IMAGE, LABEL, is_image
from tfvae.data import entries
from tfvae.data.columns import Partial, Stored
from tfvae.data.entries.label import NO_LABEL


class Examples:
    """Aligned examples: a column an entry, labels always among them.

    Args:
        image: uint8 [N, H, W, C] gray levels 0..255, or float32 [N, D] for points that are not images; None for
            examples whose images are all of other modalities.
        label: int64 [N], `NO_LABEL` where there is none; by default nowhere any.
        columns: entry -> column, as the entry's `stack` makes it; such as `caption` (of every example a tuple of any
            number of texts) or `image_b`. Empty columns are left out.
    """

    def __init__(self, image=None, label=None, **columns):
        columns = ({} if image is None else {IMAGE: image}) | columns
        num = len(next(iter(columns.values()))) if label is None else len(label)
        label = np.full(num, NO_LABEL, np.int64) if label is None else label
        self.columns = {LABEL: label} | {name: column for name, column in columns.items() if len(column) == num}
        wrong = {name: len(column) for name, column in columns.items() if len(column) not in (0, num)}
        if wrong:
            raise ValueError(f"Columns of {num} examples must be as long, got {wrong}.")

    def __len__(self):
        return len(self.columns[LABEL])

    def __contains__(self, name):
        return name in self.columns

    def __getitem__(self, name):
        """The column of an entry.

        Raises:
            ValueError: where nothing is known of it.
        """
        if name not in self.columns:
            raise ValueError(f"These examples have no {name!r}; they have {sorted(self.columns)}.")
        return self.columns[name]

    @property
    def image(self):
        """[N, ...], read into memory where it stays in shards."""
        return np.asarray(self[IMAGE])

    @property
    def label(self):
        return self.columns[LABEL]

    @property
    def captions(self):
        """Of every example a tuple of texts; () where no example has any."""
        return self.columns.get(CAPTION, ())

    @property
    def modalities(self):
        """Names of the images, the first one first."""
        return tuple(sorted((name for name in self.columns if is_image(name)), key=lambda name: (name != IMAGE, name)))

    @property
    def stored(self):
        """Whether some of the images stay in their shards."""
        columns = (column.some if isinstance(column, Partial) else column for column in self.columns.values())
        return any(isinstance(column, Stored) for column in columns)

    def in_memory(self, limit=None):
        """The same examples, images read into memory as long as they take at most `limit` bytes; all for None."""
        read = {
            name: np.asarray(column)
            for name, column in self.columns.items()
            if isinstance(column, Stored) and (limit is None or column.nbytes <= limit)
        }
        return self.with_columns(**read) if read else self

    def has(self, *names):
        """bool [N]: which examples have all of these entries."""
        there = np.ones(len(self), bool)
        for name in names:
            there &= entries.named(name).has(self.columns[name]) if name in self.columns else False
        return there

    def captioned(self):
        """The indices of examples with a caption at least."""
        return np.flatnonzero(self.has(CAPTION))

    def take(self, indices):
        """The examples of these indices, or of a mask."""
        return Examples(**{name: _taken(name, column, indices) for name, column in self.columns.items()})

    def with_columns(self, **columns):
        """The same examples with other or further columns."""
        return Examples(**self.columns | columns)


def _taken(name, column, indices):
    entry = entries.named(name)
    # A slice of an array is no copy; columns of texts know indices alone.
    if isinstance(column, tuple):
        indices = np.arange(len(column))[indices]
    return entry.take(column, indices)


def concatenate(parts):
    """The examples of all parts, one part after the other; what a part knows nothing of, its examples do not have."""
    parts = list(parts)
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Examples(**{name: _together(name, parts) for name in names})


def _together(name, parts):
    entry = entries.named(name)
    like = next(part[name] for part in parts if name in part)
    return entry.concatenate([part[name] if name in part else entry.missing(len(part), like) for part in parts])


class Streamed(NamedTuple):
    """Unlabelled training images that are read as they are needed, every one of them once an epoch.

    files: TFRecord files.
    num: records in them.
    sha256: their checksums.
    """

    files: tuple[str, ...] = ()
    num: int = 0
    sha256: tuple[str, ...] = ()


class Source(NamedTuple):
    """What `tfvae.data.sources.<name>.load(config)` returns.

    train, test: examples; test examples all carry labels where the source has labels.
    class_names: a name for every label; empty where there are none.
    streamed: more unlabelled training images, which exceed the memory limit.
    validation: examples that the source itself sets apart for validation, or None: then they are drawn from `train`.
    labelled: indices into `train` that the source fixes as the labelled ones (half-moons), or None: then drawn.
    words: a name for every entry of a row of word counts; empty for other examples.
    names: entry -> what its places are called, such as those of factors.
    files: file -> sha256 of its content, where the source is a folder that may grow.
    more_files: the same of the folder `data.more_images`.
    """

    train: Examples
    test: Examples
    class_names: tuple[str, ...] = ()
    streamed: Streamed = Streamed()
    validation: Examples | None = None
    labelled: np.ndarray | None = None
    words: tuple[str, ...] = ()
    names: dict[str, tuple[str, ...]] = MappingProxyType({})
    files: dict[str, str] = MappingProxyType({})
    more_files: dict[str, str] = MappingProxyType({})

    def digest(self):
        """A sha256 over every row in memory and the checksums of streamed files: other data, another digest."""
        sha = hashlib.sha256()
        for rows in (self.train, self.test, *([self.validation] if self.validation else [])):
            for name in sorted(rows.columns, key=_digested):
                for part in entries.named(name).digest(rows[name]):
                    sha.update(part)
        sha.update("\n".join(self.streamed.sha256).encode())
        return sha.hexdigest()


def _digested(name):
    """The order of the digest: images before labels before captions, as it began, and what came later by its name."""
    first = (IMAGE, LABEL, CAPTION)
    return (first.index(name), "") if name in first else (len(first), name)
