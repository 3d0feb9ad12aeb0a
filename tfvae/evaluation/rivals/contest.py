"""How well do others learn from the same labels? A rival is a file of this package that ends with its `RIVAL`."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfvae.data.examples import Examples
from tfvae.data.load import Data
from tfvae.evaluation import classifiers, labels, listing, rivals
from tfvae.evaluation.batched import subset
from tfvae.networks import dgdn, mlp, rendering

# Of the entries in `metrics.json`, so that those of older runs can be read.
_KEY = "baseline_{}_error"
UNLABELLED_ROWS = "baseline_unlabelled_rows"


@dataclasses.dataclass(frozen=True)
class Contest:
    """The same rows for every rival; settings are chosen on validation rows, which may be none.

    Args:
        data: of the run.
        labelled, unlabelled: to learn from.
        validation, test: with labels.
        network: of the model that the rivals are held against; a supervised rival has its size.
        seed: of initialisations.
    """

    data: Data
    labelled: Examples
    unlabelled: Examples
    validation: Examples
    test: Examples
    network: mlp.Config | dgdn.Config | rendering.Config
    seed: int = 0

    def points(self, rows):
        """Flattened expected observations: float32 [N, D]."""
        return np.asarray(self.data.observe(rows), np.float32).reshape(len(rows), -1)

    @functools.cached_property
    def labelled_points(self):
        """[L, D] and [L]."""
        return self.points(self.labelled), self.labelled.label

    @functools.cached_property
    def validation_points(self):
        """[V, D] and [V], or None and None."""
        return (self.points(self.validation), self.validation.label) if len(self.validation) else (None, None)

    @functools.cached_property
    def test_points(self):
        """[T, D] and [T]."""
        return self.points(self.test), self.test.label

    def error(self, classifier):
        """The test error of a fitted scikit-learn classifier of points, a fraction."""
        return classifiers.error(classifier, *self.test_points)


class Rival(NamedTuple):
    """Somebody to compare with.

    title:           for people.
    fit_and_score:   (contest) -> test error, a fraction.
    uses_unlabelled: whether it learns from `contest.unlabelled` too.
    applies:         whether it takes part: (contest) -> bool.
    """

    title: str
    fit_and_score: Callable[[Contest], float]
    uses_unlabelled: bool = False
    applies: Callable[[Contest], bool] = lambda contest: True


def found():
    """Entry of `metrics.json` -> `Rival`, of every file in this package that has one."""
    return {_KEY.format(name): rival for name, rival in listing.by_file(rivals, "RIVAL").items()}


def measure(data, rows, network, limit=5000, seed=0):
    """Errors of the rivals on expected observations; every setting is chosen on validation rows alone.

    Args:
        data: `tfvae.data.load.Data`.
        rows: test `Examples`; those without a label are left out.
        network: of the model that they are held against: a `mlp.Config`, whose widths the supervised network has, or a
            `dgdn.Config`, of which a convolutional network is trained as well.
        limit: labelled rows, and unlabelled rows, that a rival sees at most (a seeded draw); 0 for all.
        seed: of initialisations, and of the draw.

    Returns:
        {"baseline_mlp_error", "baseline_svm_error", "baseline_label_spreading_error"}, fractions, for a
        `dgdn.Config` "baseline_convnet_error", and "baseline_unlabelled_rows".

    Raises:
        ValueError: without labelled rows of two classes.
    """
    contest = Contest(
        data,
        labelled=subset(data.labelled, limit, seed),
        unlabelled=subset(data.train, limit, seed),
        validation=labels.labelled(data.validation),
        test=labels.to_compare(data, rows),
        network=network,
        seed=seed,
    )
    errors = {key: rival.fit_and_score(contest) for key, rival in found().items() if rival.applies(contest)}
    return {**errors, UNLABELLED_ROWS: len(contest.unlabelled)}
