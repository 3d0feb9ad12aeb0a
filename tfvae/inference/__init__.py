"""Bounds, one method a file.

A bound is a function of log weights [S, ...] -> [...]. Where a label is summed out, a second function of log weights
[S, B, K] and log q(y | ·) [S, B, K] (or [1, B, K]) -> [B] says how the bound goes with the sum over classes.
"""

from collections.abc import Callable

import tensorflow as tf

from tfvae.inference.elbo import elbo, elbo_over_classes
from tfvae.inference.importance import importance_over_classes, importance_weighted

OfWeights = Callable[[tf.Tensor], tf.Tensor]
OverClasses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

BOUNDS: dict[str, OfWeights] = {"elbo": elbo, "importance": importance_weighted}
OVER_CLASSES: dict[str, OverClasses] = {
    "elbo": elbo_over_classes,
    "importance": importance_over_classes,
}


def bound_over_classes(name: str) -> OverClasses:
    """The bound on log p(x) with the label summed out, by the bound's name in a config.

    Raises:
        ValueError: if the bound does not state how it goes with a sum over classes.
    """
    if name not in OVER_CLASSES:
        raise ValueError(
            f"The bound {name!r} does not state how a label is summed out, so a model with labels cannot use it: "
            f"choose one of {sorted(OVER_CLASSES)}, or add it to `tfvae.inference.OVER_CLASSES`."
        )
    return OVER_CLASSES[name]
