"""Images of examples that are not one array: those that some examples lack, and those that stay in their shards."""

import dataclasses
import os

import numpy as np

_MISSING = -1
_READ_AT_ONCE = 256


class Partial:
    """Images that some examples have.

    Args:
        some: [M, H, W, C], those that there are; an array or `Stored`.
        place: int64 [N], where in `some` each example's image lies, −1 for none.
    """

    def __init__(self, some, place):
        self.some, self.place = some, np.asarray(place, np.int64)

    @property
    def shape(self):
        return len(self.place), *self.some.shape[1:]

    @property
    def has(self):
        """bool [N]."""
        return self.place != _MISSING

    def __len__(self):
        return len(self.place)

    def __getitem__(self, indices):
        """The images of these examples: those that there are alone where none of them is missing."""
        place = self.place[indices]
        there = place != _MISSING
        some = self.some[place[there]]
        return some if there.all() else partial(some, there)

    def __array__(self, dtype=None, copy=None):
        raise ValueError(f"Of {len(self)} examples {int((~self.has).sum())} lack this image; take those that have it.")


def partial(some, has):
    """`Partial` of images in the order of the examples that have one; the images themselves where all have one."""
    has = np.asarray(has, bool)
    return some if has.all() else Partial(some, np.where(has, np.cumsum(has) - 1, _MISSING))


@dataclasses.dataclass(frozen=True)
class Stored:
    """Images that stay in their shards until they are asked for.

    files: the shards.
    sha256: of each.
    shard: int32 [N], which of them holds an example.
    offset, length: int64 [N], where in it the payload of its record lies.
    image: the entry that reads it, `tfvae.data.entries.image.Image`.
    """

    files: tuple[str, ...]
    sha256: tuple[str, ...]
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    image: object

    @property
    def shape(self):
        return len(self.shard), *self.image.shape

    @property
    def nbytes(self):
        """Bytes of the images in memory."""
        return int(np.prod(self.shape))

    def __len__(self):
        return len(self.shard)

    def __getitem__(self, indices):
        return dataclasses.replace(
            self, shard=self.shard[indices], offset=self.offset[indices], length=self.length[indices]
        )

    def payloads(self, indices):
        """The serialised records of these examples."""
        opened = {}
        try:
            return [self._payload(i, opened) for i in indices]
        finally:
            for descriptor in opened.values():
                os.close(descriptor)

    def _payload(self, i, opened):
        shard = self.shard[i]
        if shard not in opened:
            opened[shard] = os.open(self.files[shard], os.O_RDONLY)
        found = os.pread(opened[shard], self.length[i], self.offset[i])
        if len(found) != self.length[i]:
            raise OSError(f"{self.files[shard]} ends inside a record: it was changed while it was read. Start again.")
        return found

    def __array__(self, dtype=None, copy=None):
        """All of them in memory."""
        image = np.empty(self.shape, np.uint8)
        for first in range(0, len(self), _READ_AT_ONCE):
            rows = range(first, min(first + _READ_AT_ONCE, len(self)))
            image[rows.start : rows.stop] = self.image.decoded(self.payloads(rows))
        return image if dtype is None else image.astype(dtype)
