"""Rows in memory, and what a source delivers."""

import hashlib
from typing import NamedTuple

import numpy as np

NO_LABEL = -1


class Rows(NamedTuple):
    """Aligned rows.

    image: uint8 [N, H, W, C] gray levels 0..255, or float32 [N, D] for points that are not images.
    label: int64 [N], `NO_LABEL` where there is none.
    """

    image: np.ndarray
    label: np.ndarray

    def __len__(self):
        return len(self.label)

    def take(self, indices):
        return Rows(self.image[indices], self.label[indices])


class Source(NamedTuple):
    """What `tfvae.data.sources.<name>.load(config)` returns.

    train, test: rows; test rows all carry labels where the source has labels.
    class_names: a name for every label; empty where there are none.
    streamed: TFRecord files of more unlabelled training rows, read as they are needed because they exceed the memory
        limit; empty for everything that fits.
    num_streamed: rows in `streamed`, from the manifest.
    streamed_sha256: their checksums, from the manifest.
    validation: rows that the source itself sets apart for validation, or None: then they are drawn from `train`.
    labelled: indices into `train` that the source fixes as the labelled ones (half-moons), or None: then drawn.
    """

    train: Rows
    test: Rows
    class_names: tuple[str, ...] = ()
    streamed: tuple[str, ...] = ()
    num_streamed: int = 0
    streamed_sha256: tuple[str, ...] = ()
    validation: Rows | None = None
    labelled: np.ndarray | None = None

    def digest(self):
        """A sha256 over every row in memory and the checksums of streamed files: other data, another digest."""
        sha = hashlib.sha256()
        for rows in (self.train, self.test, *([self.validation] if self.validation else [])):
            for array in rows:
                sha.update(str((array.shape, array.dtype)).encode())
                sha.update(np.ascontiguousarray(array))
        sha.update("\n".join(self.streamed_sha256).encode())
        return sha.hexdigest()
