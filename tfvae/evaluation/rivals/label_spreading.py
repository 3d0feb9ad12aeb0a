"""Labels that spread along nearest neighbours, over labelled and unlabelled rows (Zhou et al. 2003)."""

import warnings

import numpy as np
import threadpoolctl
from sklearn.semi_supervised import LabelSpreading

from tfvae.evaluation import classifiers
from tfvae.evaluation.rivals.contest import Rival

_NEIGHBOURS = (5, 7, 10, 20)
# sklearn's default of 0.2 stops before labels have travelled along a long cluster.
_CLAMPING = (0.2, 0.5, 0.8, 0.95)
_NO_LABEL = -1  # scikit-learn's.


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

    return classifiers.best(map(fit, settings), validation, validation_label)


# A hundred rows are too few to share: threads would only wait for each other, and for TensorFlow's.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def fit_and_score(contest):
    """The test error."""
    unlabelled = contest.points(contest.unlabelled)
    return contest.error(label_spreading(*contest.labelled_points, unlabelled, *contest.validation_points))


RIVAL = Rival("LabelSpreading", fit_and_score, uses_unlabelled=True)
