"""What is in the codes: classifiers on the codes of a trained model (M1+TSVM of Kingma et al. 2014)."""

import dataclasses
import itertools

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import transductive
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import mean_of

_SVM_COSTS = (0.1, 1.0, 10.0, 100.0)
_TSVM_KERNELS = (("linear", 1.0), ("rbf", 1.0), ("rbf", 4.0))
_TSVM_UNLABELLED_COSTS = (0.1, 1.0)


def codes(model, data, rows, batch_size=500):
    """Means of q(z | x) at the expected observations: float32 [N, Z]."""
    encode = mean_of(model, "encode")
    return map_rows(lambda image, _: encode(image), data, rows, at_once(model, batch_size))


def auxiliary_codes(model, data, rows, batch_size=500):
    """Means of q(a | x): float32 [N, A].

    Raises:
        ValueError: for a model without an auxiliary variable.
    """
    if not model.can(Capability.ENCODE_AUXILIARY):
        raise ValueError(f"{type(model).__name__} has no auxiliary variable: use `codes`.")
    encode = mean_of(model, "encode_auxiliary")
    return map_rows(lambda image, _: encode(image), data, rows, batch_size)


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
    costs = _SVM_COSTS if validation is not None and len(validation) else (10.0,)
    fitted = [make_pipeline(StandardScaler(), SVC(C=cost)).fit(labelled, label) for cost in costs]
    return _best(fitted, validation, validation_label)


def tsvm(labelled, label, unlabelled, validation=None, validation_label=None, seed=0):
    """A transductive SVM; kernel and cost are chosen on validation rows, if there are any.

    Args:
        labelled, label: [L, D] and [L].
        unlabelled: [U, D].
        validation, validation_label: [V, D] and [V], or None.
        seed: of the kernel's landmarks.
    """
    configs = [transductive.Config(seed=seed)]
    if validation is not None and len(validation):
        configs = [
            dataclasses.replace(configs[0], kernel=kernel, gamma=gamma, unlabelled_cost=cost)
            for (kernel, gamma), cost in itertools.product(_TSVM_KERNELS, _TSVM_UNLABELLED_COSTS)
        ]
    fitted = [transductive.TransductiveSVM(config).fit(labelled, label, unlabelled) for config in configs]
    return _best(fitted, validation, validation_label)


def evaluate(model, data, rows=None, unlabelled_limit=5000, seed=0):
    """Errors of an inductive and a transductive SVM on codes.

    Args:
        model, data: the model and `tfvae.data.load.Data`; settings are chosen on its validation rows.
        rows: test `Examples` with labels, by default `data.test`.
        unlabelled_limit: training rows, drawn at random, that the transductive SVM sees; 0 for all.
        seed: of that draw.

    Returns:
        {"svm_error", "tsvm_error" (fractions), "tsvm_unlabelled_rows"}.

    Raises:
        ValueError: without labelled rows of two classes.

    Kingma et al. 2014, table 1, "M1+TSVM".
    """
    rows = data.test if rows is None else rows
    rows = rows.take(np.flatnonzero(rows.label != NO_LABEL))
    if not len(rows) or len(np.unique(data.labelled.label)) < 2:
        raise ValueError("Classifiers on codes need labelled rows of at least two classes, and labelled test rows.")
    bare = subset(data.train, unlabelled_limit, seed)
    labelled, unlabelled, test = (codes(model, data, part) for part in (data.labelled, bare, rows))
    held_out = data.validation.take(np.flatnonzero(data.validation.label != NO_LABEL))
    validation = (codes(model, data, held_out), held_out.label) if len(held_out) else (None, None)
    inductive = svm(labelled, data.labelled.label, *validation)
    transduced = tsvm(labelled, data.labelled.label, unlabelled, *validation, seed=seed)
    return {
        "svm_error": float(np.mean(inductive.predict(test) != rows.label)),
        "tsvm_error": float(np.mean(transduced.predict(test) != rows.label)),
        "tsvm_unlabelled_rows": len(bare),
    }


def _best(fitted, validation, label):
    """The classifier with the fewest validation errors; the first of equals."""
    if len(fitted) == 1:
        return fitted[0]
    return min(fitted, key=lambda classifier: np.mean(classifier.predict(validation) != label))
