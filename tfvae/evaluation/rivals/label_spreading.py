"""Labels that spread along nearest neighbours, over labelled and unlabelled rows (Zhou et al. 2003)."""

import threadpoolctl

from tfvae.evaluation.classifiers import label_spreading
from tfvae.evaluation.rivals.contest import Rival


# A hundred rows are too few to share: threads would only wait for each other, and for TensorFlow's.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def fit_and_score(contest):
    """The test error."""
    unlabelled = contest.points(contest.unlabelled)
    return contest.error(label_spreading(*contest.labelled_points, unlabelled, *contest.validation_points))


RIVAL = Rival("LabelSpreading", fit_and_score, uses_unlabelled=True)
