"""Rivals on the same labels: what scikit-learn makes of them without a generative model."""

import warnings

import numpy as np
import threadpoolctl
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelSpreading

from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import convnet
from tfvae.evaluation.batched import subset
from tfvae.evaluation.representation import svm
from tfvae.networks import dgdn, mlp

NAMES = {
    "mlp": "supervised network",
    "svm": "SVM",
    "convnet": "supervised convolutional network",
    "label_spreading": "LabelSpreading",
}

_MLP = mlp.Config(hidden=(500, 500))
_WEIGHT_DECAYS = (1e-4, 1e-2, 1.0)
_NEIGHBOURS = (5, 7, 10, 20)
# sklearn's default of 0.2 stops before labels have travelled along a long cluster.
_CLAMPING = (0.2, 0.5, 0.8, 0.95)


def evaluate(data, rows=None, network=_MLP, limit=5000, seed=0):
    """Errors of the rivals on flattened expected observations; every setting is chosen on validation rows alone.

    Args:
        data: `tfvae.data.load.Data`.
        rows: test `Examples` with labels, by default `data.test`.
        network: of the model that they are held against: a `mlp.Config`, whose widths the supervised network has, or a
            `dgdn.Config`, of which a convolutional network is trained as well.
        limit: labelled rows, and unlabelled rows, that a rival sees at most (a seeded draw); 0 for all.
        seed: of the network, and of the draw.

    Returns:
        {"baseline_mlp_error", "baseline_svm_error", "baseline_label_spreading_error"}, fractions, for a
        `dgdn.Config` "baseline_convnet_error", and "baseline_unlabelled_rows".

    Raises:
        ValueError: without labelled rows of two classes.
    """
    hidden = network.hidden if isinstance(network, mlp.Config) else _MLP.hidden
    rows = data.test if rows is None else rows
    rows = rows.take(np.flatnonzero(rows.label != NO_LABEL))
    labelled = subset(data.labelled, limit, seed)
    if not len(rows) or len(np.unique(labelled.label)) < 2:
        raise ValueError("Baselines need labelled rows of at least two classes, and labelled test rows.")
    bare = subset(data.train, limit, seed)
    held_out = data.validation.take(np.flatnonzero(data.validation.label != NO_LABEL))
    train = (_flat(data, labelled), labelled.label)
    validation = (_flat(data, held_out), held_out.label) if len(held_out) else (None, None)
    # A hundred rows are too few to share: threads would only wait for each other, and for TensorFlow's.
    with threadpoolctl.threadpool_limits(1):
        fitted = {
            "mlp": supervised_network(*train, *validation, hidden=hidden, seed=seed),
            "svm": svm(*train, *validation),
            "label_spreading": label_spreading(*train, _flat(data, bare), *validation),
        }
        test = _flat(data, rows)
        errors = {f"baseline_{name}_error": _error(rival, test, rows.label) for name, rival in fitted.items()}
    if isinstance(network, dgdn.Config):
        predict = convnet.train(data, labelled, held_out, network, seed)
        errors["baseline_convnet_error"] = float(np.mean(predict(data.observe(rows)) != rows.label))
    return {**errors, "baseline_unlabelled_rows": len(bare)}


def supervised_network(image, label, validation=None, validation_label=None, hidden=(500, 500), seed=0):
    """A network of the given widths on the labelled rows [L, D] alone; its weight decay chosen on validation rows."""
    decays = _WEIGHT_DECAYS if validation is not None else _WEIGHT_DECAYS[:1]

    def fit(decay):
        network = MLPClassifier(tuple(hidden), alpha=decay, max_iter=200, random_state=seed)
        with warnings.catch_warnings():
            # On a hundred rows the loss may still creep down after 200 epochs; the error no longer moves.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return network.fit(image, label)

    return _best((fit(decay) for decay in decays), validation, validation_label)


def label_spreading(image, label, unlabelled, validation=None, validation_label=None):
    """Labels spread along nearest neighbours over labelled [L, D] and unlabelled [U, D] rows  (Zhou et al. 2003)."""
    points = np.concatenate([image, unlabelled])
    targets = np.concatenate([label, np.full(len(unlabelled), -1)])
    settings = [(k, alpha) for k in _NEIGHBOURS for alpha in _CLAMPING] if validation is not None else [(10, 0.8)]

    def fit(neighbours, alpha):
        spreading = LabelSpreading("knn", n_neighbors=min(neighbours, len(points) - 1), alpha=alpha, max_iter=1000)
        with warnings.catch_warnings():
            # Points that no label reaches make sklearn divide 0 by 0; they get class 0, which the validation sees.
            warnings.simplefilter("ignore")
            return spreading.fit(points, targets)

    return _best((fit(*setting) for setting in settings), validation, validation_label)


def _best(candidates, validation, label):
    """The candidate with the fewest validation errors; the first of equals."""
    candidates = iter(candidates)
    best = next(candidates)
    if validation is None:
        return best
    fewest = _error(best, validation, label)
    for candidate in candidates:
        error = _error(candidate, validation, label)
        if error < fewest:
            best, fewest = candidate, error
    return best


def _error(classifier, image, label):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(classifier.predict(image) != label))


def _flat(data, rows):
    observed = np.asarray(data.observe(rows), np.float32)
    return observed.reshape(len(rows), -1)
