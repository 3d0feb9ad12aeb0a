"""Clusters of codes, given all else: a truncated stick-breaking mixture of Gaussians, or of usage probabilities.

    s_n ~ Σ_j ν_j N(μ_j, I / α_j),   ν_j = v_j Π_{i<j} (1 − v_i),   v_j ~ Beta(1, a), v_J = 1,   a ~ Gamma(e, f),
    μ_j ~ N(0, I),   α_j ~ Gamma(a_α, b_α);

or, of a code with a spike, z_kn ~ Bernoulli(π*_kj) with π*_kj ~ Beta(η_k, 1 − η_k), η_k ~ Beta(1/K, 1 − 1/K).

Pu 2017, section 3.3.4, eqs. (3.33) to (3.35); Ishwaran & James 2001.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from tfvae.probability import conjugate, noise, stick_breaking

# The logarithm of 0, which times 0 is 0.
_IMPOSSIBLE = -1e30
_LEAST = 1e-7


class Prior(NamedTuple):
    """Of a mixture.

    num:       J.
    of_usages: whether usages are drawn from it; else codes.
    mass:      (e, f) of a.
    precision: (a_α, b_α).
    """

    num: int = 30
    of_usages: bool = False
    mass: tuple[float, float] = (1.0, 1.0)
    precision: tuple[float, float] = (1.0, 1.0)


class Sticks(NamedTuple):
    """log_weights: log ν, [J]; mass: a, []."""

    log_weights: tf.Tensor
    mass: tf.Tensor


class Gaussians(NamedTuple):
    """means: μ, [J, Z]; precisions: α, [J]."""

    means: tf.Tensor
    precisions: tf.Tensor


class Usages(NamedTuple):
    """log_on, log_off: log π* and log(1 − π*), [J, K]; log_base: log η, [K]."""

    log_on: tf.Tensor
    log_off: tf.Tensor
    log_base: tf.Tensor


class Mixture(NamedTuple):
    """sticks: `Sticks`; components: `Gaussians` or `Usages`."""

    sticks: Sticks
    components: Gaussians | Usages


class Around(NamedTuple):
    """N(μ, I / α) of each image's cluster: means [N, Z], precisions [N]."""

    means: tf.Tensor
    precisions: tf.Tensor


def first(dim: int, num_elements: int, prior: Prior, seed: tf.Tensor) -> Mixture:
    """A first `Mixture`, of codes of `dim` numbers in `num_elements` maps.

    Gaussians are all N(0, I), nearly. Chains do not begin here (`begun`): of clusters that are alike a few take all
    images in a few sweeps, and where draws of the prior lie no code of many dimensions ever comes.
    """
    stick_seed, mean_seed = noise.split(seed, 2)
    even = tf.fill([prior.num], -tf.math.log(float(prior.num)))
    sticks = Sticks(even, conjugate.gamma(tf.constant(prior.mass[0]), prior.mass[1], stick_seed))
    if prior.of_usages:
        return Mixture(sticks, usages_from_the_prior(num_elements, prior, mean_seed))
    return Mixture(sticks, Gaussians(1e-3 * noise.normal([prior.num, dim], mean_seed), tf.ones([prior.num])))


def begun(mixture: Mixture, code: tf.Tensor, mean_code: tf.Tensor, prior: Prior, seed: tf.Tensor) -> Mixture:
    """`Mixture` | codes and c, where c are the groups of a k-means of mean codes.

    Args:
        mixture: `Mixture`, of which what is not drawn anew stays.
        code: [N, H, W, K].
        mean_code: the same, the mean of several sweeps.
        prior: `Prior`.
        seed: int32 [2].
    """
    group_seed, redraw_seed = noise.split(seed, 2)
    points = _flat(mean_code)
    centres = stick_breaking.k_means(points, prior.num, group_seed)
    group = tf.argmin(stick_breaking.squared_distances(points, centres), axis=-1, output_type=tf.int32)
    if not prior.of_usages:
        spread = tf.reduce_mean(tf.math.squared_difference(_flat(code), tf.gather(centres, group)))
        mixture = mixture._replace(components=Gaussians(centres, tf.fill([prior.num], 1.0 / spread)))
    return redraw(mixture, code, group, prior, redraw_seed)


def waiting(mixture: Mixture, usage: tf.Tensor) -> Mixture:
    """`Mixture` before clusters begin, all of them alike: N(0, I), or the usages [K] that all images share."""
    if not isinstance(mixture.components, Usages):
        means, precisions = mixture.components
        return mixture._replace(components=Gaussians(tf.zeros_like(means), tf.ones_like(precisions)))
    shape = tf.shape(mixture.components.log_on)
    log_on, log_off = (tf.broadcast_to(tf.math.log(p), shape) for p in (usage, 1.0 - usage))
    return mixture._replace(components=mixture.components._replace(log_on=log_on, log_off=log_off))


def log_likelihoods(code: tf.Tensor, mixture: Mixture) -> tf.Tensor:
    """log p(s_n | j), or of which of its maps are on, [N, J], up to a constant; of codes [N, H, W, K]."""
    if isinstance(mixture.components, Usages):
        return log_usages(is_on(code), mixture.components)
    return log_gaussians(_flat(code), mixture.components)


def responsibilities(code: tf.Tensor, mixture: Mixture) -> tf.Tensor:
    """p(c_n = j | s_n): [N, J], of codes [N, H, W, K]."""
    return tf.nn.softmax(mixture.sticks.log_weights + log_likelihoods(code, mixture), axis=-1)


def redraw(mixture: Mixture, code: tf.Tensor, cluster: tf.Tensor, prior: Prior, seed: tf.Tensor) -> Mixture:
    """`Mixture` | codes, c."""
    stick_seed, component_seed = noise.split(seed, 2)
    sticks = redraw_sticks(cluster, mixture.sticks, prior, stick_seed)
    if isinstance(mixture.components, Usages):
        return Mixture(sticks, redraw_usages(is_on(code), cluster, mixture.components, prior, component_seed))
    return Mixture(sticks, redraw_gaussians(_flat(code), cluster, mixture.components, prior, component_seed))


def around(mixture: Mixture, cluster: tf.Tensor) -> Around | None:
    """`Around`, the prior of each image's code; None where the mixture is of usages."""
    if isinstance(mixture.components, Usages):
        return None
    return Around(tf.gather(mixture.components.means, cluster), tf.gather(mixture.components.precisions, cluster))


def log_odds_of_usage(mixture: Mixture, cluster: tf.Tensor) -> tf.Tensor | None:
    """log π* − log(1 − π*) of each image's cluster: [N, K]; None where the mixture is of codes."""
    if not isinstance(mixture.components, Usages):
        return None
    return tf.gather(mixture.components.log_on - mixture.components.log_off, cluster)


def is_on(code: tf.Tensor) -> tf.Tensor:
    """z: which maps of codes [N, H, W, K] are on, float32 [N, K]."""
    return tf.cast(tf.reduce_any(code != 0.0, axis=[1, 2]), tf.float32)


def _flat(code: tf.Tensor) -> tf.Tensor:
    return tf.reshape(code, [-1, math.prod(code.shape[1:])])


def assign(sticks: Sticks, log_likelihoods: tf.Tensor, seed: tf.Tensor, rows: int | None = None) -> tf.Tensor:
    """c_n | all else, int32 [N]: of log p(what is clustered | j), [N, J]; `rows` of noise."""
    logits = sticks.log_weights + log_likelihoods
    gumbel = conjugate.gumbel(conjugate.noise_shape(tf.shape(logits), rows), seed)
    return tf.argmax(logits + gumbel, axis=-1, output_type=tf.int32)


def log_gaussians(code: tf.Tensor, gaussians: Gaussians) -> tf.Tensor:
    """log N(s_n; μ_j, I / α_j): [N, J], up to a constant, of codes [N, Z]."""
    squares = tf.reduce_sum(tf.math.squared_difference(code[:, None], gaussians.means), axis=-1)
    dim = float(code.shape[-1])
    return 0.5 * (dim * tf.math.log(gaussians.precisions) - gaussians.precisions * squares)


def log_evidence(precision: tf.Tensor, shift: tf.Tensor, gaussians: Gaussians) -> tf.Tensor:
    """log p(what is seen | j) with the code summed out: [N, J], up to a constant.

        ½ (Z log α_j − log |Λ + α_j I| + (h + α_j μ_j)ᵀ (Λ + α_j I)⁻¹ (h + α_j μ_j) − α_j |μ_j|²)

    A draw of a code is mostly its prior where images say little of it, so a cluster that is drawn given the draw hardly
    ever changes.

    Args:
        precision, shift: Λ [N, Z, Z] and h [N, Z], exp(−½ sᵀ Λ s + hᵀ s) is the likelihood of s.
        gaussians: `Gaussians`.
    """

    def of_cluster(gaussian: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        mean, alpha = gaussian
        lower = tf.linalg.cholesky(precision + alpha * tf.eye(shift.shape[-1]))
        half = tf.linalg.triangular_solve(lower, (shift + alpha * mean)[..., None])[..., 0]
        log_det = 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(lower)), axis=-1)
        of_prior = float(shift.shape[-1]) * tf.math.log(alpha) - alpha * tf.reduce_sum(mean**2)
        return 0.5 * (of_prior - log_det + tf.reduce_sum(half**2, axis=-1))

    return tf.transpose(tf.map_fn(of_cluster, tuple(gaussians), fn_output_signature=tf.float32))


def log_usages(on: tf.Tensor, usages: Usages) -> tf.Tensor:
    """Σ_k log Bernoulli(z_kn; π*_kj): [N, J], of z [N, K]."""
    return tf.matmul(on, usages.log_on, transpose_b=True) + tf.matmul(1.0 - on, usages.log_off, transpose_b=True)


def redraw_sticks(cluster: tf.Tensor, sticks: Sticks, prior: Prior, seed: tf.Tensor) -> Sticks:
    """`Sticks` | c: v_j ~ Beta(1 + n_j, a + Σ_{i>j} n_i), then a ~ Gamma(e + J − 1, f − Σ_{j<J} log(1 − v_j))."""
    stick_seed, mass_seed = noise.split(seed, 2)
    num = tf.reduce_sum(tf.one_hot(cluster, prior.num), axis=0)
    after = tf.reduce_sum(num) - tf.cumsum(num)
    logs = conjugate.log_dirichlet(tf.stack([1.0 + num, sticks.mass + after], axis=-1), stick_seed)
    log_v, log_rest = logs[:-1, 0], logs[:-1, 1]
    before = tf.concat([[0.0], tf.cumsum(log_rest)], axis=0)
    log_weights = before + tf.concat([log_v, [0.0]], axis=0)
    shape, rate = prior.mass[0] + float(prior.num - 1), prior.mass[1] - tf.reduce_sum(log_rest)
    return Sticks(log_weights, conjugate.gamma(tf.constant(shape), rate, mass_seed))


def redraw_gaussians(
    code: tf.Tensor, cluster: tf.Tensor, gaussians: Gaussians, prior: Prior, seed: tf.Tensor
) -> Gaussians:
    """`Gaussians` | s, c.

    μ_j ~ N(α_j Σ s_n / (1 + n_j α_j), I / (1 + n_j α_j)),   α_j ~ Gamma(a + n_j Z / 2, b + Σ |s_n − μ_j|² / 2)
    """
    mean_seed, precision_seed = noise.split(seed, 2)
    of_cluster = tf.one_hot(cluster, prior.num)
    num, total = tf.reduce_sum(of_cluster, axis=0), tf.matmul(of_cluster, code, transpose_a=True)
    precision = (1.0 + num * gaussians.precisions)[:, None]
    means = gaussians.precisions[:, None] * total / precision
    means += noise.normal(tf.shape(means), mean_seed) * tf.math.rsqrt(precision)
    squares = tf.math.squared_difference(code, tf.gather(means, cluster))
    squares = tf.math.unsorted_segment_sum(tf.reduce_sum(squares, axis=-1), cluster, prior.num)
    shape = prior.precision[0] + 0.5 * float(code.shape[-1]) * num
    return Gaussians(means, conjugate.gamma(shape, prior.precision[1] + 0.5 * squares, precision_seed))


def redraw_usages(on: tf.Tensor, cluster: tf.Tensor, usages: Usages, prior: Prior, seed: tf.Tensor) -> Usages:
    """`Usages` | z, c: η with π* summed out, by a slice; π*_kj ~ Beta(η_k + images on, 1 − η_k + images off)."""
    base_seed, usage_seed = noise.split(seed, 2)
    of_cluster = tf.one_hot(cluster, prior.num)
    there = tf.matmul(of_cluster, on, transpose_a=True)  # [J, K].
    away = tf.reduce_sum(of_cluster, axis=0)[:, None] - there
    log_base = _redraw_base(usages.log_base, there, away, base_seed)
    return _usages(log_base, there, away, usage_seed)


def usages_from_the_prior(num_elements: int, prior: Prior, seed: tf.Tensor) -> Usages:
    """First `Usages`: η = u^K of uniform u, which is Beta(1/K, 1) and near 0 the prior; then π*."""
    base_seed, usage_seed = noise.split(seed, 2)
    share = 1.0 / num_elements
    log_base = conjugate.log_dirichlet(tf.constant([[share, 1.0 - share]] * num_elements), base_seed)[:, 0]
    none = tf.zeros([prior.num, num_elements])
    return _usages(log_base, none, none, usage_seed)


def _usages(log_base: tf.Tensor, there: tf.Tensor, away: tf.Tensor, seed: tf.Tensor) -> Usages:
    base = tf.exp(log_base)
    logs = conjugate.log_dirichlet(tf.stack([base + there, 1.0 - base + away], axis=-1), seed)
    logs = tf.maximum(logs, _IMPOSSIBLE)
    return Usages(logs[..., 0], logs[..., 1], log_base)


def _redraw_base(log_base: tf.Tensor, there: tf.Tensor, away: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """log η | z, c with π* summed out.

    Most of Beta(1/K, 1 − 1/K) is below what float32 can tell from 0. With η = u^K its density in u is (1 − η)^(−1/K),
    so the step is taken in u.
    """
    count = log_base.shape[0]

    def log_density(u: tf.Tensor) -> tf.Tensor:
        log_eta = count * tf.math.log(u)
        eta = tf.exp(log_eta)
        rest = tf.maximum(1.0 - eta, _LEAST)
        log_rest = tf.math.log(rest)
        of_counts = _log_rising(eta, log_eta, there) + _log_rising(rest, log_rest, away)
        return tf.reduce_sum(of_counts, axis=0) - log_rest / count

    u = conjugate.unit_slice(log_density, tf.exp(log_base / count), seed)
    return count * tf.math.log(u)


def _log_rising(x: tf.Tensor, log_x: tf.Tensor, num: tf.Tensor) -> tf.Tensor:
    """log Γ(x + n) − log Γ(x), also where x is too small for a float but its logarithm is not."""
    return tf.where(num > 0.0, tf.math.lgamma(x + num) - tf.math.lgamma(x + 1.0) + log_x, 0.0)
