"""Rows in memory, and what a source delivers."""

import hashlib
import json
from typing import NamedTuple

import numpy as np

NO_LABEL = -1


class Rows(NamedTuple):
    """Aligned rows.

    image: uint8 [N, H, W, C] gray levels 0..255, or float32 [N, D] for points that are not images.
    label: int64 [N], `NO_LABEL` where there is none.
    captions: of every row a tuple of any number of texts; () where no row has any.
    """

    image: np.ndarray
    label: np.ndarray
    captions: tuple[tuple[str, ...], ...] = ()

    def __len__(self):
        return len(self.label)

    def take(self, indices):
        """The rows of these indices, or of a mask."""
        chosen = np.arange(len(self))[indices]
        captions = tuple(self.captions[i] for i in chosen) if self.captions else ()
        return Rows(self.image[indices], self.label[indices], captions)

    def captioned(self):
        """The indices of rows with a caption at least."""
        return np.array([i for i, texts in enumerate(self.captions) if texts], np.int64)


def concatenate(parts):
    """The rows of all parts, one part after the other."""
    parts = list(parts)
    captions = ()
    if any(rows.captions for rows in parts):
        captions = tuple(texts for rows in parts for texts in rows.captions or ((),) * len(rows))
    return Rows(*(np.concatenate([rows[i] for rows in parts]) for i in range(2)), captions)


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
    words: a name for every entry of a row of word counts; empty for other rows.
    """

    train: Rows
    test: Rows
    class_names: tuple[str, ...] = ()
    streamed: tuple[str, ...] = ()
    num_streamed: int = 0
    streamed_sha256: tuple[str, ...] = ()
    validation: Rows | None = None
    labelled: np.ndarray | None = None
    words: tuple[str, ...] = ()

    def digest(self):
        """A sha256 over every row in memory and the checksums of streamed files: other data, another digest."""
        sha = hashlib.sha256()
        for rows in (self.train, self.test, *([self.validation] if self.validation else [])):
            for array in (rows.image, rows.label):
                sha.update(str((array.shape, array.dtype)).encode())
                sha.update(np.ascontiguousarray(array))
            if rows.captions:
                sha.update(json.dumps(rows.captions).encode())
        sha.update("\n".join(self.streamed_sha256).encode())
        return sha.hexdigest()
