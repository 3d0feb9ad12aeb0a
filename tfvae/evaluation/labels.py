"""Rows with labels: those that are measured on, and whether there is something to learn from."""

import numpy as np

from tfvae.data.entries.label import NO_LABEL


def labelled(rows):
    """The rows that have a label."""
    return rows.take(np.flatnonzero(rows.label != NO_LABEL))


def can_compare(data, rows):
    """Whether there are labels to learn from, of two classes at least, and labelled rows to be measured on."""
    return len(np.unique(data.labelled.label)) > 1 and bool((rows.label != NO_LABEL).any())


def to_compare(data, rows):
    """The rows that classifiers which learn from `data.labelled` are measured on: those with a label.

    Raises:
        ValueError: if there are none, or no labels of two classes to learn from.
    """
    if not can_compare(data, rows):
        raise ValueError(
            "Classifiers need labelled rows of at least two classes, and labelled test rows. "
            "Evaluate the likelihood instead."
        )
    return labelled(rows)
