"""Support vector machines on vectors, whose settings are chosen on validation rows."""

import dataclasses
import itertools
import warnings

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tfvae.evaluation import transductive

_SVM_COSTS = (0.1, 1.0, 10.0, 100.0)
_TSVM_KERNELS = (("linear", 1.0), ("rbf", 1.0), ("rbf", 4.0))
_TSVM_UNLABELLED_COSTS = (0.1, 1.0)


def svm(labelled, label, validation=None, validation_label=None):
    """An RBF support vector machine on standardised inputs; its cost is chosen on validation rows, if there are any.

    Args:
        labelled: [L, D].
        label: [L].
        validation: [V, D] or None.
        validation_label: [V] or None.

    Returns:
        A fitted sklearn classifier.
    """
    costs = _SVM_COSTS if validation is not None else (10.0,)
    fitted = (make_pipeline(StandardScaler(), SVC(C=cost)).fit(labelled, label) for cost in costs)
    return best(fitted, validation, validation_label)


def tsvm(labelled, label, unlabelled, validation=None, validation_label=None, seed=0):
    """A transductive SVM; kernel and cost are chosen on validation rows, if there are any.

    Args:
        labelled, label: [L, D] and [L].
        unlabelled: [U, D].
        validation, validation_label: [V, D] and [V], or None.
        seed: of the kernel's landmarks.
    """
    configs = [transductive.Config(seed=seed)]
    if validation is not None:
        configs = [
            dataclasses.replace(configs[0], kernel=kernel, gamma=gamma, unlabelled_cost=cost)
            for (kernel, gamma), cost in itertools.product(_TSVM_KERNELS, _TSVM_UNLABELLED_COSTS)
        ]
    fitted = (transductive.TransductiveSVM(config).fit(labelled, label, unlabelled) for config in configs)
    return best(fitted, validation, validation_label)


def best(candidates, validation, label):
    """The candidate with the fewest errors on validation rows, the first of equals; the first where there are none.

    Args:
        candidates: fitted classifiers; no more are made than are needed.
        validation: [V, D] or None.
        label: [V] or None.
    """
    candidates = iter(candidates)
    if validation is None:
        return next(candidates)
    return min(candidates, key=lambda candidate: error(candidate, validation, label))


def error(classifier, points, label):
    """The fraction of points whose predicted class is not their label."""
    with warnings.catch_warnings():
        # Points that no label reached have no probabilities, which scikit-learn remarks upon.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(classifier.predict(points) != label))
