"""A network of the model's widths on the labelled rows alone."""

import warnings

import threadpoolctl
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tfvae.evaluation import classifiers
from tfvae.evaluation.rivals.contest import Rival
from tfvae.networks import mlp

_WEIGHT_DECAYS = (1e-4, 1e-2, 1.0)
_OTHERWISE = (500, 500)  # Widths where the model's network has none.


def supervised_network(points, label, validation=None, validation_label=None, hidden=_OTHERWISE, seed=0):
    """A network of the given widths on labelled points [L, D]; its weight decay is chosen on validation rows."""
    decays = _WEIGHT_DECAYS if validation is not None else _WEIGHT_DECAYS[:1]

    def fit(decay):
        network = MLPClassifier(tuple(hidden), alpha=decay, max_iter=200, random_state=seed)
        with warnings.catch_warnings():
            # On a hundred rows the loss may still creep down after 200 epochs; the error no longer moves.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return network.fit(points, label)

    return classifiers.best(map(fit, decays), validation, validation_label)


# A hundred rows are too few to share: threads would only wait for each other, and for TensorFlow's.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def fit_and_score(contest):
    """The test error."""
    hidden = contest.network.hidden if isinstance(contest.network, mlp.Config) else _OTHERWISE
    fitted = supervised_network(*contest.labelled_points, *contest.validation_points, hidden=hidden, seed=contest.seed)
    return contest.error(fitted)


RIVAL = Rival("supervised network", fit_and_score)
