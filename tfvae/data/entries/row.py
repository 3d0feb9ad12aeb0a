"""The number of a training example, for learners that keep variables of each: its place in `Data.train`."""

import numpy as np

from tfvae import batch as batches
from tfvae.data.entry import Entry

_NONE = -1


class Row(Entry):
    """int64 [B]. It comes with the data's place in memory, not from metadata or records."""

    name = batches.ROW

    def read(self, cells):
        return None

    def stack(self, values):
        return np.array([_NONE if value is None else value for value in values], np.int64)

    def has(self, column):
        return np.asarray(column) != _NONE

    def digest(self, column):
        return ()

    def features(self, value):
        return {}

    def spec(self):
        return {}

    def joined(self, parts):
        raise ValueError("Records hold no numbers of rows; `tfvae.data.load` gives them.")


ENTRY = Row()
