"""Support vector machines and graphs on vectors, whose settings are chosen on validation rows."""

import dataclasses
import itertools
import warnings

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC

from tfvae.evaluation import transductive

_SVM_COSTS = (0.1, 1.0, 10.0, 100.0)
# C a labelled row: the transductive SVM's C weighs their mean.
_TSVM_COSTS = (1.0, 10.0)
_TSVM_KERNELS = (("linear", 1.0), ("rbf", 1.0), ("rbf", 4.0))
_TSVM_UNLABELLED_COSTS = (0.1, 1.0)
_NEIGHBOURS = (5, 7, 10, 20)
# sklearn's default of 0.2 stops before labels have travelled along a long cluster.
_CLAMPING = (0.2, 0.5, 0.8, 0.95)
_NO_LABEL = -1  # scikit-learn's.


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
    """A transductive SVM; kernel, costs and start are chosen on validation rows, if there are any.

    First kernel and C without the unlabelled points, then C*, of which 0 is one, and whether the descent starts there
    or from labels that spread along a graph.

    Args:
        labelled, label: [L, D] and [L].
        unlabelled: [U, D].
        validation, validation_label: [V, D] and [V], or None.
        seed: of the kernel's landmarks.
    """

    def fit(config, guess=None):
        return transductive.TransductiveSVM(config).fit(labelled, label, unlabelled, guess)

    usual = transductive.Config(cost=_TSVM_COSTS[-1] * len(label), seed=seed)
    if validation is None:
        return fit(usual)
    without = [
        dataclasses.replace(usual, kernel=kernel, gamma=gamma, cost=cost * len(label), unlabelled_cost=0.0)
        for (kernel, gamma), cost in itertools.product(_TSVM_KERNELS, _TSVM_COSTS)
    ]
    inductive = best(map(fit, without), validation, validation_label)
    guess = label_spreading(labelled, label, unlabelled, validation, validation_label).predict(unlabelled)
    configs = [dataclasses.replace(inductive.config, unlabelled_cost=cost) for cost in _TSVM_UNLABELLED_COSTS]
    fitted = (fit(config, start) for config in configs for start in (None, guess))
    return best(itertools.chain([inductive], fitted), validation, validation_label)


def label_spreading(points, label, unlabelled, validation=None, validation_label=None):
    """Labels spread over labelled points [L, D] and unlabelled ones [U, D]; settings are chosen on validation rows."""
    everything = np.concatenate([points, unlabelled])
    targets = np.concatenate([label, np.full(len(unlabelled), _NO_LABEL)])
    settings = [(k, alpha) for k in _NEIGHBOURS for alpha in _CLAMPING] if validation is not None else [(10, 0.8)]

    def fit(setting):
        neighbours, alpha = setting
        neighbours = min(neighbours, len(everything) - 1)
        spreading = LabelSpreading("knn", n_neighbors=neighbours, alpha=alpha, max_iter=1000)
        with warnings.catch_warnings():
            # Points that no label reaches make sklearn divide 0 by 0; they get class 0, which the validation sees.
            warnings.simplefilter("ignore")
            return spreading.fit(everything, targets)

    return best(map(fit, settings), validation, validation_label)


def graph(labelled, label, unlabelled, validation=None, validation_label=None):
    """Labels spread over the unlabelled rows, then an SVM of them all, which can be asked about any row.

    Args:
        labelled, label: [L, D] and [L].
        unlabelled: [U, D].
        validation, validation_label: [V, D] and [V], or None; settings of both steps are chosen on them.

    Returns:
        A fitted sklearn classifier.
    """
    spread = label_spreading(labelled, label, unlabelled, validation, validation_label).predict(unlabelled)
    points, targets = np.concatenate([labelled, unlabelled]), np.concatenate([label, spread])
    return svm(points, targets, validation, validation_label)


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
