"""The contract of a kind of entry: something that may be known of an example, from a user's table to the batch.

A kind is one file of `tfvae/data/entries` with an instance `ENTRY`. Three forms of it appear below:

    value    of one example, as it is annotated and written into a record; None where the example has none
    column   of all examples, as it lies in memory
    tensor   of one batch
"""

import abc
import zlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf


class Entry(abc.ABC):
    """A kind of entry.

    Attributes:
        name: in a batch, in `Examples`, in metadata and, unless `feature` says otherwise, in a tf.Example.
        stream: the stream whose rows have this entry beside their image; empty for one that other streams only carry.
        judged: whether a model is judged by it: held-out examples must have one such entry at least.
        always: whether it is read wherever it is stored; others only where `data.entries` or a stream asks for it.
    """

    name: str
    stream: str = ""
    judged: bool = False
    always: bool = False

    @property
    def feature(self) -> str:
        """Its name in a tf.Example."""
        return self.name

    @property
    def noise_key(self) -> int:
        """Keeps the noise of this entry apart from that of others in the same batch."""
        return zlib.crc32(self.name.encode()) >> 1

    # Annotation.

    def read(self, cells):
        """The value that a row of metadata gives; None where it gives none.

        Args:
            cells: `tfvae.data.metadata.Cells`.

        Raises:
            ValueError: for cells that say something else.
        """
        return cells.text(self.name)

    def merge(self, ours, theirs):
        """The value of an example of which two rows of metadata speak.

        Raises:
            ValueError: where they contradict each other.
        """
        if None not in (ours, theirs) and ours != theirs:
            raise ValueError(f"two rows give it the {self.name}s {ours!r} and {theirs!r}")
        return theirs if ours is None else ours

    def numbered(self, values: list) -> tuple[list, tuple[str, ...]]:
        """(values as they are stored, names of their numbers or places) of the values of all examples."""
        return values, ()

    def summary(self, values: list) -> str:
        """A line for people about the values that are not None; empty for nothing to say."""
        return f"{self.name}: {len(values)}" if values else ""

    # Memory.

    @abc.abstractmethod
    def stack(self, values: list):
        """The column of these values, some of them None."""

    def missing(self, num: int, like):
        """The column of examples that lack the entry, in the form of another column."""
        del like
        return self.stack([None] * num)

    @abc.abstractmethod
    def has(self, column) -> np.ndarray:
        """bool [N]: which examples have the entry."""

    def take(self, column, indices: np.ndarray):
        return column[indices]

    def concatenate(self, columns: list):
        return np.concatenate(columns)

    def digest(self, column) -> Iterable[bytes]:
        """What of a column makes the data other data."""
        yield str((column.shape, column.dtype)).encode()
        yield np.ascontiguousarray(column)

    # Records.

    @abc.abstractmethod
    def features(self, value) -> dict[str, tf.train.Feature]:
        """What a record holds of a value that is not None."""

    @abc.abstractmethod
    def spec(self) -> dict:
        """What `tf.io.parse_example` needs to know of these features."""

    def parse(self, features: dict, decode=True) -> dict:
        """Parsed features of a batch of records -> {name: tensor}, checked; images are decoded with `decode`."""
        del decode
        return {self.name: features[self.feature]}

    def right(self, parsed: dict, required: bool) -> bool:
        """Whether what `parse` returned, as NumPy, is as it must be; with `required` every record must have it."""
        return True

    def problem(self, features, required: bool) -> str:
        """What is wrong in one record, {feature: tf.train.Feature}; empty if nothing is."""
        return ""

    def named(self, names) -> "Entry":
        """This entry for records whose numbers or places are called so; None where nobody names them."""
        del names
        return self

    def collector(self, num: int) -> "Collector":
        """What gathers the column of at most `num` records."""
        del num
        return Collector(self)

    @abc.abstractmethod
    def joined(self, parts: list):
        """The column of all records, from what `parse` gave of each batch, as NumPy or ragged tensors."""

    # Batches.

    def fitted(self, config, column, frozen: dict, where: str) -> "Entry":
        """This entry once it knows the training examples that have it, or what was frozen when a run began.

        Args:
            config: `tfvae.data.load.Config`.
            column: of those training examples.
            frozen: what `state` returned when the run began; empty for a new run.
            where: the stream that asks for it.
        """
        return self

    def state(self) -> dict:
        """JSON values that `fitted` needs again, kept in split.json."""
        return {}

    def source(self, column):
        """Indices [B] -> raw tensors of a batch, of a column whose rows all have the entry."""
        values = tf.constant(self.tensor(column))
        return lambda indices: tf.gather(values, indices)

    def tensor(self, column) -> np.ndarray:
        """The column as an array of which batches are rows."""
        return column

    def drawn(self, raw, seed):
        """Raw rows -> what the batch carries; noise is a function of the seed."""
        del seed
        return raw

    # Serving.

    def served(self) -> "Served":
        """What stands for the entry in a served graph."""
        return Served()

    def asked(self, column) -> np.ndarray:
        """What a request holds of these examples."""
        return self.tensor(column)


class Served:
    """What stands for an entry in a served graph: here, what the model itself takes and gives.

    Attributes:
        is_read: whether a server can be given the entry.
    """

    is_read = True

    def spec(self, spec):
        """The argument of a served function, for that of the model's."""
        return spec

    def taken(self, argument):
        """What the model takes."""
        return argument

    def given(self, value):
        """What an answer holds of what the model gives."""
        return value

    def answers(self, name, value):
        """{output: value} of an answer, for what the model gives under the entry's name."""
        return {name: self.given(value)}


class Collector:
    """What was parsed of an entry, batch after batch, on its way to a column."""

    def __init__(self, entry):
        self.entry = entry
        self.parts = []

    def add(self, parsed):
        self.parts.append(parsed[self.entry.name])

    def column(self):
        return self.entry.joined(self.parts)


def integers(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value) for value in values]))


def strings(values) -> tf.train.Feature:
    """Of text or bytes."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def floats(values) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(values)))
