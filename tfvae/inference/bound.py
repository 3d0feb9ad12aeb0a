"""Bounds on log-likelihoods from log importance weights.

The log weight of a draw (a, z, ...) ~ q is  log p(x, z, ...) − log q(z, ... | x);  it is kept in two parts because a
temperature scales only one of them.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

Weight: TypeAlias = tf.Tensor | float  # Of a term, a temperature.


class Bound(NamedTuple):
    """A lower bound on a log-likelihood: `value` is reported, `surrogate` has its gradient.

    value:     [...], nats.
    surrogate: [...], equal to `value` for reparameterised estimators without a temperature.
    """

    value: tf.Tensor
    surrogate: tf.Tensor


class LogWeights(NamedTuple):
    """log p(x, z) − log q(z | x) of S draws, in two parts.

    log_likelihood: [S, ...], log p(x | z), with log p(y) where there is a label.
    divergence:     [S, ...], log q(z | x) − log p(z), summed over all latent variables: a one-draw estimate of the KL.
    """

    log_likelihood: tf.Tensor
    divergence: tf.Tensor

    def value(self, kl_weight: Weight = 1.0, likelihood_weight: Weight = 1.0) -> tf.Tensor:
        """[S, ...], nats; the log weight itself where both weights are 1."""
        return likelihood_weight * self.log_likelihood - kl_weight * self.divergence


def bound(
    of_weights: Callable[[tf.Tensor], tf.Tensor],
    log_weights: LogWeights,
    kl_weight: Weight = 1.0,
    likelihood_weight: Weight = 1.0,
) -> Bound:
    """A bound of log weights, given as a function of them: `value` at temperature 1, `surrogate` at the two weights."""
    value = of_weights(log_weights.value())
    if all(isinstance(weight, float) and weight == 1.0 for weight in (kl_weight, likelihood_weight)):
        return Bound(value, value)
    return Bound(value, of_weights(log_weights.value(kl_weight, likelihood_weight)))
