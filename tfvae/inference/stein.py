"""Stein variational gradient descent on the codes of every data point, and on the parameters of decoders."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.probability import kernels, svgd


def directions(log_joint, z, kernel, bandwidth, log_q=None, compiled=False, own="out"):
    """φ(z) of the particles of every data point.

    Args:
        log_joint: z [S, B, Z] -> log p(x, z) [S, B], nats.
        z: [S, B, Z], S particles of each of B data points.
        kernel, bandwidth: as in `tfvae.probability.svgd.direction`.
        log_q: [S, B], log q(z | x) of the particles for the importance-weighted direction; None for equal weights.
        compiled: whether XLA compiles kernel and direction (measured by `tools/benchmarks/svgd.py`).
        own: as in `tfvae.probability.svgd.direction`; out by default, because an encoder draws its particles anew.

    Returns:
        (φ [S, B, Z], log p(x, z) [S, B]), both without gradient.

    Pu 2017, eq. (4.12), and eqs. (4.42) to (4.44) with weights, of one set of particles (M = 1 there).
    """
    log_p, by_point = _scores(log_joint, z)
    log_weights = None if log_q is None else tf.transpose(log_p - log_q)
    direction = functools.partial(svgd.direction, kernel=kernel, bandwidth=bandwidth, log_weights=log_weights, own=own)
    moved = (tf.function(direction, jit_compile=True) if compiled else direction)(*by_point)
    return tf.stop_gradient(tf.transpose(moved, [1, 0, 2])), tf.stop_gradient(log_p)


def discrepancy(
    log_joint: Callable[[tf.Tensor], tf.Tensor], z: tf.Tensor, kernel: kernels.Kernel, bandwidth: str | float
) -> tf.Tensor:
    """The squared kernelised Stein discrepancy of draws z [S, B, Z] from p(z | x): [B].

    The arguments are those of `directions`.
    """
    _, (particles, scores) = _scores(log_joint, z)
    return svgd.kernelised_stein_discrepancy(particles, scores, kernel, bandwidth)


def _scores(log_joint: Callable[[tf.Tensor], tf.Tensor], z: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """log p(x, z) [S, B], and of every data point its particles and their scores, [B, S, Z] both."""
    z = tf.stop_gradient(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = log_joint(z)
    scores = tape.gradient(log_p, z)
    return log_p, (tf.transpose(z, [1, 0, 2]), tf.transpose(scores, [1, 0, 2]))


class Parameters(NamedTuple):
    """Parameters with a posterior of their own.

    variables: those of the decoder; with J > 1 particles each [J, ...].
    num_observations: observations that a batch's mean stands for, N.
    """

    variables: list
    num_observations: float


def parameter_objective(
    value: tf.Tensor, tape: tf.GradientTape, groups: Sequence[Parameters], config: Any
) -> tf.Tensor:
    """A batch's mean log likelihood as what trains the parameters of decoders.

    Args:
        value: scalar, the mean over a batch, over codes and over particles of θ of log p(x | z, θ).
        tape: that recorded it.
        groups: `Parameters`, each with its own kernel.
        config: has `parameter_particles`, `prior_variance`, `kernel` and `bandwidth`.

    Returns:
        With one particle, value + log p(θ) / N of every group. With more, the value, whose gradient in θ_j is
        φ(θ_j) / N: Stein's direction towards the posterior, with scores N ∇ log p(x | z, θ_j) + ∇ log p(θ_j). Both are
        linear in the batch's gradient, so replicas may add theirs up.

    Pu 2017, eqs. (4.11), (4.48) and (4.51).
    """
    if config.parameter_particles == 1:
        return value + sum(
            log_prior(group.variables, config.prior_variance) / group.num_observations for group in groups
        )
    gradients = tape.gradient(value, [group.variables for group in groups])
    towards = 0.0
    for group, of_group in zip(groups, gradients):
        if any(gradient is None for gradient in of_group):
            raise ValueError(
                "No image of the batch has what one of the decoders explains: set `data.labelled_batch`, or "
                "`model.label_weight=0`."
            )
        theta, scores = _flat(group.variables), group.num_observations * config.parameter_particles * _flat(of_group)
        if config.prior_variance:
            scores -= theta / config.prior_variance
        phi = svgd.direction(theta, scores, kernels.KERNELS[config.kernel], config.bandwidth)
        towards += tf.reduce_sum(tf.stop_gradient(phi) * theta) / group.num_observations
    return tf.stop_gradient(value - towards) + towards


def log_prior(variables: Sequence[tf.Variable], variance: float) -> tf.Tensor | float:
    """log N(θ; 0, v I) up to a constant, 0 for a variance of 0."""
    if not variance:
        return 0.0
    return -0.5 / variance * tf.add_n([tf.reduce_sum(tf.convert_to_tensor(theta) ** 2) for theta in variables])


def _flat(variables: Sequence[tf.Variable]) -> tf.Tensor:
    """Tensors [J, ...] side by side: [J, P]."""
    return tf.concat([tf.reshape(tf.convert_to_tensor(v), [v.shape[0], -1]) for v in variables], axis=1)
