"""Bounds, one method a file."""

from tfvae.inference.elbo import elbo
from tfvae.inference.importance import importance_weighted

BOUNDS = {"elbo": elbo, "importance": importance_weighted}


def bound_named(name):
    """The bound by its name in a config.

    Raises:
        ValueError: for a name that is none.
    """
    if name not in BOUNDS:
        raise ValueError(f"`bound` must be one of {sorted(BOUNDS)}, got {name!r}.")
    return BOUNDS[name]
