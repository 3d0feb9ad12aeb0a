"""Given what all images share: chains over what is local to new images, and a bound on log p(x) by them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn import clusters, maps, top
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import NONE, Absent, Data, Global, Local, Prior
from tfvae.samplers.dgdn.sweep import first_local, local_sweep

# Added to the counts of outcomes, so that q(u) leaves none out.
_SMOOTHING = 0.5
_LEAST = 1e-4  # To mean responsibilities, so that no cluster is left out.
_LOG_2_PI = float(np.log(2.0 * np.pi))


class Schedule(NamedTuple):
    """A chain's sweeps.

    burn_in: before the first draw that is kept.
    kept:    draws.
    thin:    sweeps from one of them to the next.
    """

    burn_in: int = 20
    kept: int = 20
    thin: int = 1

    @property
    def num_sweeps(self) -> int:
        return self.burn_in + self.kept * self.thin

    def draw(self, sweep: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(number of the draw that a sweep, counted from 0, leads to; whether it is that draw)."""
        since = sweep - self.burn_in
        return tf.maximum(since, 0) // self.thin, (since >= 0) & ((since + 1) % self.thin == 0)


class Inferred(NamedTuple):
    """What a chain found for N images.

    codes:    [S, N, Z], the kept draws.
    counts:   of every pooled layer [N, h, w, K, P], how often they had each outcome.
    on:       [N, K], how often a map of the code was on.
    fit:      [N, H, W, C], the mean over draws of p(x | s, u)'s mean.
    clusters: [N, J], the mean over draws of p(c | s), of a model with clusters.
    """

    codes: tf.Tensor
    counts: tuple[tf.Tensor, ...]
    on: tf.Tensor
    fit: tf.Tensor
    clusters: tf.Tensor | Absent = NONE


def infer(
    geometry: Geometry,
    prior: Prior,
    shared: Global,
    image: tf.Tensor,
    schedule: Schedule,
    seed: tf.Tensor,
    rows: int | None = None,
) -> Inferred:
    """Runs a chain over maps and codes, without labels, and keeps its draws.

    Args:
        geometry: `Geometry`.
        prior: `Prior`.
        shared: `Global`.
        image: [N, H, W, C].
        schedule: `Schedule`.
        seed: int32 [2].
        rows: of noise; 1 for answers that do not depend on an image's batch.

    Returns:
        `Inferred`.
    """
    data = Data(image, tf.zeros([tf.shape(image)[0], 0]))
    num = tf.shape(image)[0]

    def sweep(
        t: tf.Tensor,
        local: Local,
        codes: tf.TensorArray,
        counts: tuple[tf.Tensor, ...],
        on: tf.Tensor,
        fit: tf.Tensor,
        of_clusters: tf.Tensor | Absent,
    ) -> tuple[tf.Tensor, Local, tf.TensorArray, tuple[tf.Tensor, ...], tf.Tensor, tf.Tensor, tf.Tensor | Absent]:
        local = local_sweep(geometry, prior, shared, local, data, noise.fold_in(seed, t), rows).local
        draw, is_kept = schedule.draw(t)
        kept = tf.cast(is_kept, tf.float32)
        outcomes = [tf.one_hot(tf.cast(u, tf.int32), n, on_value=kept) for u, n in zip(local.maps, geometry.outcomes)]
        counts = tuple(count + outcome for count, outcome in zip(counts, outcomes))
        # A sweep that is not kept is written where the next one that is will be.
        codes = codes.write(draw, tf.reshape(local.code, [-1, geometry.code_dim]))
        now = geometry.fit(local.code, shared.dictionaries, geometry.masks(local.maps))
        if prior.clusters:
            of_clusters += kept / schedule.kept * clusters.responsibilities(local.code, shared.mixture)
        on, fit = on + kept * clusters.is_on(local.code), fit + kept / schedule.kept * now
        return t + 1, local, codes, counts, on, fit, of_clusters

    local = _begin(geometry, prior, num, noise.fold_in(seed, -1), rows)
    start = (
        tf.constant(0), local, tf.TensorArray(tf.float32, schedule.kept, element_shape=[None, geometry.code_dim]),
        tuple(tf.zeros([*tf.unstack(tf.shape(u)), n]) for u, n in zip(local.maps, geometry.outcomes)),
        tf.zeros([num, geometry.elements[-1]]), tf.zeros_like(image),
        tf.zeros([num, prior.clusters.num]) if prior.clusters else NONE,
    )  # fmt: skip
    _, _, codes, *found = tf.while_loop(lambda t, *_: t < schedule.num_sweeps, sweep, start)
    return Inferred(codes.stack(), *found)


def map_code(
    geometry: Geometry,
    prior: Prior,
    shared: Global,
    image: tf.Tensor,
    schedule: Schedule,
    seed: tf.Tensor,
    rows: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable code of new images with the maps averaged out, by Monte Carlo EM, and log variances around it.

        E-step: the maps of `kept` draws of a chain at the present code,
        M-step: (γ_s I + γ_e mean AᵀA) s = γ_e mean Aᵀx, a ridge regression,

    one E-step after a chain that has burnt in, because its draws are not of the present code but of p(u | x).

    Returns:
        ([N, Z], [N, Z]).

    Pu 2017, eq. (3.39).
    """
    data = Data(image, tf.zeros([tf.shape(image)[0], 0]))
    local = _begin(geometry, prior, tf.shape(image)[0], noise.fold_in(seed, -1), rows)
    dim = geometry.code_dim

    def step(
        t: tf.Tensor, local: Local, precision: tf.Tensor, shift: tf.Tensor
    ) -> tuple[tf.Tensor, Local, tf.Tensor, tf.Tensor]:
        local = local_sweep(geometry, prior, shared, local, data, noise.fold_in(seed, t), rows).local
        around = clusters.around(shared.mixture, local.cluster) if prior.clusters else None
        of_draw = top.posterior(top.likelihood(geometry, shared, data, local.maps), shared.code_precision, around)
        kept = tf.cast(schedule.draw(t)[1], tf.float32) / schedule.kept
        return t + 1, local, precision + kept * of_draw[0], shift + kept * of_draw[1]

    num = tf.shape(image)[0]
    start = (tf.constant(0), local, tf.zeros([num, dim, dim]), tf.zeros([num, dim]))
    _, _, precision, shift = tf.while_loop(lambda t, *_: t < schedule.num_sweeps, step, start)
    lower = tf.linalg.cholesky(precision)
    inverse = tf.linalg.triangular_solve(lower, tf.eye(dim, batch_shape=[num]))
    log_variance = tf.math.log(tf.reduce_sum(inverse**2, axis=-2))
    return tf.linalg.cholesky_solve(lower, shift[..., None])[..., 0], log_variance


def log_evidence(
    geometry: Geometry,
    shared: Global,
    image: tf.Tensor,
    positions: Sequence[tf.Tensor],
    on: tf.Tensor | None = None,
    around: clusters.Around | None = None,
) -> tf.Tensor:
    """log p(x | u), the code summed out: [N], nats.

    log N(x; 0, I / γ_e + Aᵀ A / γ_s), by its Λ:  ½ (Z log γ_s + D log γ_e − D log 2π − log |Λ| − γ_e xᵀx + hᵀ Λ⁻¹ h),
    of a code around μ_j with α_j for γ_s, less ½ α_j |μ_j|².
    """
    data = Data(image, tf.zeros([tf.shape(image)[0], 0]))
    precision, shift = top.posterior(
        top.likelihood(geometry, shared, data, positions, on=on), shared.code_precision, around
    )
    lower = tf.linalg.cholesky(precision)
    half = tf.linalg.triangular_solve(lower, shift[..., None])[..., 0]
    log_det = 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(lower)), axis=-1)
    code_precision = shared.code_precision if around is None else around.precisions
    constant = geometry.code_dim * tf.math.log(code_precision)
    if around is not None:
        constant -= code_precision * tf.reduce_sum(around.means**2, axis=-1)
    constant += geometry.num_pixels * (tf.math.log(shared.noise_precision) - _LOG_2_PI)
    squares = shared.noise_precision * tf.reduce_sum(image**2, axis=[1, 2, 3]) - tf.reduce_sum(half**2, axis=-1)
    return 0.5 * (constant - log_det - squares)


def log_prior_of_maps(geometry: Geometry, prior: Prior, positions: Sequence[tf.Tensor]) -> tf.Tensor | float:
    """log p(u) with θ summed out, a Dirichlet-multinomial of every map: [N], nats."""
    total = 0.0
    for u, level, outcomes in zip(positions, geometry.levels, geometry.outcomes):
        counts = tf.reduce_sum(tf.one_hot(tf.cast(u, tf.int32), outcomes), axis=[1, 2])
        if prior.uniform_maps:
            of_map = -tf.reduce_sum(counts, axis=-1) * tf.math.log(float(outcomes))
        else:
            a = maps.concentration(prior, level.block)
            of_map = tf.math.lgamma(outcomes * a) - tf.math.lgamma(outcomes * a + tf.reduce_sum(counts, axis=-1))
            of_map += tf.reduce_sum(tf.math.lgamma(a + counts) - tf.math.lgamma(a), axis=-1)
        total += tf.reduce_sum(of_map, axis=-1)
    return total


def log_weights(
    geometry: Geometry,
    prior: Prior,
    shared: Global,
    image: tf.Tensor,
    inferred: Inferred,
    num: int,
    seed: tf.Tensor,
    rows: int | None = None,
) -> tf.Tensor:
    """log p(x, u) − log q(u) of draws of the maps from q, whose mean is a bound on log p(x): [num, N], nats.

    q(u) is independent over blocks, with the smoothed frequencies of a chain's draws; where the code has a spike its
    indicators are drawn likewise, and p(x, u) is then p(x, u, z).

    Args:
        geometry, prior, shared, image: as of `infer`.
        inferred: `Inferred`.
        num: draws.
        seed: int32 [2].
        rows: of noise.
    """
    log_q = [tf.math.log(count + _SMOOTHING) for count in inferred.counts]
    log_q = [tf.nn.log_softmax(log) for log in log_q]
    kept = tf.cast(tf.shape(inferred.codes)[0], tf.float32)
    q_on = (inferred.on + _SMOOTHING) / (kept + 2.0 * _SMOOTHING)

    def weight(s: tf.Tensor) -> tf.Tensor:
        seeds = noise.split(noise.fold_in(seed, s), geometry.num_pooled + 1)
        positions, total = [], tf.zeros([tf.shape(image)[0]])
        for log_probs, block_seed in zip(log_q, seeds):
            u, log_prob = _drawn(log_probs, block_seed, rows)
            positions.append(u)
            total -= tf.reduce_sum(log_prob, axis=[1, 2, 3])
        on, around = None, None
        usage = shared.usage
        if prior.clusters:
            cluster_seed = noise.fold_in(seeds[-1], -1)
            cluster, ratio = _drawn_cluster(inferred.clusters, shared.mixture.sticks, cluster_seed, rows)
            around, total = clusters.around(shared.mixture, cluster), total + ratio
            if prior.clusters.of_usages:
                usage = tf.sigmoid(clusters.log_odds_of_usage(shared.mixture, cluster))
                usage = tf.clip_by_value(usage, *top.USAGES)
        if prior.spike:
            on, ratio = _drawn_on(q_on, usage, seeds[-1], rows)
            total += ratio
        total += log_evidence(geometry, shared, image, positions, on, around)
        return total + log_prior_of_maps(geometry, prior, positions)

    return tf.map_fn(weight, tf.range(num), fn_output_signature=tf.float32)


def _begin(geometry: Geometry, prior: Prior, num: tf.Tensor, seed: tf.Tensor, rows: int | None) -> Local:
    """First `Local` of new images, the same of all with one row of noise; of their tags nothing is known."""
    local = first_local(geometry, num if rows is None else rows, seed, prior._replace(tags=None))
    if rows is None:
        return local._replace(code=tf.ensure_shape(local.code, [None, *geometry.code_shape]))
    return tf.nest.map_structure(lambda t: tf.repeat(t, num // rows, axis=0), local)


def _drawn(log_probs: tf.Tensor, seed: tf.Tensor, rows: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    """(outcome of every block, its log probability)."""
    shape = tf.shape(log_probs)[:-1] if rows is None else tf.concat([[rows], tf.shape(log_probs)[1:-1]], axis=0)
    edges = tf.cumsum(tf.exp(log_probs), axis=-1)[..., :-1]
    u = tf.reduce_sum(tf.cast(noise.uniform(shape, seed)[..., None] >= edges, tf.int32), axis=-1)
    u = tf.minimum(u, log_probs.shape[-1] - 1)
    return u, tf.gather(log_probs, u, axis=-1, batch_dims=4)


def _drawn_on(q_on: tf.Tensor, usage: tf.Tensor, seed: tf.Tensor, rows: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    """(maps of the code that are on, log p − log q of that)."""
    shape = tf.shape(q_on) if rows is None else tf.stack([rows, tf.shape(q_on)[1]])
    on = tf.cast(noise.uniform(shape, seed) < q_on, tf.float32)
    ratio = on * tf.math.log(usage / q_on) + (1.0 - on) * tf.math.log((1.0 - usage) / (1.0 - q_on))
    return on, tf.reduce_sum(ratio, axis=-1)


def _drawn_cluster(
    probs: tf.Tensor, sticks: clusters.Sticks, seed: tf.Tensor, rows: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """(cluster [N], log p − log q of it), q near the mean responsibilities [N, J] of a chain."""
    log_q = tf.math.log_softmax(tf.math.log(probs + _LEAST), axis=-1)
    gumbel = conjugate.gumbel(conjugate.noise_shape(tf.shape(log_q), rows), seed)
    cluster = tf.argmax(log_q + gumbel, axis=-1, output_type=tf.int32)
    return cluster, tf.gather(sticks.log_weights, cluster) - tf.gather(log_q, cluster, axis=-1, batch_dims=1)
