"""The class of an example: a name in metadata or a folder's, a number in records and in memory."""

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.data.entry import Entry, integers

NO_LABEL = -1


class Label(Entry):
    """One class of several, `NO_LABEL` for none.

    Args:
        num_classes: labels are below it; None where nobody says how many classes there are.
    """

    name, stream, judged, always = batches.LABEL, batches.LABELLED, True, True

    def __init__(self, num_classes=None):
        self.num_classes = num_classes

    def numbered(self, values):
        names = sorted_names({value for value in values if value is not None})
        index = {name: i for i, name in enumerate(names)}
        return [index.get(value) for value in values], names

    def summary(self, values):
        return ""  # A table of its own says more.

    def stack(self, values):
        return np.array([NO_LABEL if value is None else value for value in values], np.int64).reshape(-1)

    def has(self, column):
        return np.asarray(column) != NO_LABEL

    def features(self, value):
        return {} if value == NO_LABEL else {self.name: integers([value])}

    def spec(self):
        return {self.name: tf.io.FixedLenFeature([], tf.int64, default_value=NO_LABEL)}

    def right(self, parsed, required):
        label = parsed[self.name]
        if required:
            return bool(np.all((label >= 0) & (label < self.num_classes)))
        return bool(np.all(label == NO_LABEL))

    def problem(self, features, required):
        label = features.get(self.name)
        if not required:
            return "" if label is None else f"it has a `{self.name}`, but stands in a shard of unlabelled records"
        if label is None:
            return f"the feature `{self.name}` is missing"
        if len(label.int64_list.value) != 1:
            return f"`{self.name}` must be one integer"
        value, classes = label.int64_list.value[0], self.num_classes
        return "" if 0 <= value < classes else f"its label {value} is out of range, there are {classes} classes"

    def joined(self, parts):
        return np.concatenate([np.array([], np.int64), *parts])


def sorted_names(names):
    """Class names in the order of their indices: by number where all are numbers."""
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


ENTRY = Label()
