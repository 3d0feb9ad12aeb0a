"""Every row of a run in its role: labelled or unlabelled for training, for validation, for the test."""

import numpy as np

from tfvae.data.examples import concatenate
from tfvae.evaluation.batched import subset

ROLES = ("unlabelled", "labelled", "validation", "test")


def of(data):
    """Role -> its `Examples`, without those that are read from files as they are needed.

    A training row is labelled where its label is trained on, whatever else is known of it.
    """
    split = data.split
    # `data.train` is without the rows that validate, which the split counts.
    kept = np.setdiff1d(np.arange(len(data.train) + len(split.get("validation", ()))), split.get("validation", ()))
    labelled = np.isin(kept, split.get("labelled", ()))
    parts = (data.train.take(~labelled), data.train.take(labelled), data.validation, data.test)
    return dict(zip(ROLES, parts, strict=True))


def together(data, most, seed=0):
    """(rows of all roles with an image, [N] their roles), at most so many of each, drawn at random."""
    parts = {role: subset(rows, most, seed) for role, rows in of(data).items() if len(rows)}
    parts = {role: rows for role, rows in parts.items() if len(rows)}
    if not parts:
        return data.test.take([]), np.array([], "U10")
    return concatenate(parts.values()), np.repeat(list(parts), [len(rows) for rows in parts.values()])
