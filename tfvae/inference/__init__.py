"""Bounds, one method a file."""

from tfvae.inference.elbo import elbo
from tfvae.inference.importance import importance_weighted

ESTIMATORS = {"elbo": elbo, "importance": importance_weighted}


def estimator(name):
    """The bound by its name in a config.

    Raises:
        ValueError: for a name that is none.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"`bound` must be one of {sorted(ESTIMATORS)}, got {name!r}.")
    return ESTIMATORS[name]
