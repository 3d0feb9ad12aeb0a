"""An RBF support vector machine on the labelled rows alone."""

import threadpoolctl

from tfvae.evaluation import classifiers
from tfvae.evaluation.rivals.contest import Rival


# A hundred rows are too few to share: threads would only wait for each other, and for TensorFlow's.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def fit_and_score(contest):
    """The test error."""
    return contest.error(classifiers.svm(*contest.labelled_points, *contest.validation_points))


RIVAL = Rival("SVM", fit_and_score)
