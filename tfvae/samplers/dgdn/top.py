"""The code at the top, given all else: jointly, or map by map with a spike at 0."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn import clusters, svm
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Global, Prior

# (k, z [N, K]) -> [] or [N], as of `spike_and_slab`.
LogOdds: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# The least and the largest probability that a map of the code is on, whose logarithms are finite.
USAGES = (1e-6, 1.0 - 1e-6)


def likelihood(
    geometry: Geometry,
    shared: Global,
    data: Data,
    positions: Sequence[tf.Tensor],
    pulls: svm.Pulls | None = None,
    on: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Λ [N, Z, Z] and h [N, Z] of what image and label say of s, exp(−½ sᵀ Λ s + hᵀ s).

        Λ = γ_e AᵀA + Σ_c w_c β_c β_cᵀ,   h = γ_e Aᵀx + Σ_c w_c t_c β_c

    Args:
        geometry: `Geometry`.
        shared: `Global`.
        data: `Data`.
        positions: maps of all pooled layers, [N, h, w, K].
        pulls: `svm.Pulls` of the labels; None without.
        on: [N, K], 0 for maps of the code that are off, of whose numbers nothing is said then; None for none.
    """
    num = tf.shape(data.image)[0]
    a = geometry.effects(shared.dictionaries, positions, num)
    if on is not None:
        a *= tf.tile(on, [1, geometry.code_dim // geometry.elements[-1]])[..., None]
    x = tf.reshape(data.image, [-1, geometry.num_pixels, 1])
    precision = shared.noise_precision * tf.matmul(a, a, transpose_b=True)
    shift = shared.noise_precision * tf.matmul(a, x)[..., 0]
    if pulls is not None:
        weights = shared.beta[:-1]
        precision += tf.einsum("nc,ic,jc->nij", pulls.weight, weights, weights)
        shift += tf.einsum("nc,ic->ni", pulls.weight * (pulls.target - shared.beta[-1]), weights)
    return precision, shift


def posterior(
    seen: tuple[tf.Tensor, tf.Tensor], code_precision: tf.Tensor, around: clusters.Around | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Λ [N, Z, Z] and h [N, Z] of s | all else ~ N(Λ⁻¹ h, Λ⁻¹).

    Args:
        seen: of `likelihood`.
        code_precision: γ_s of the prior N(0, I / γ_s).
        around: `clusters.Around`, N(μ, I / α) in its place for each image; None for none.
    """
    precision, shift = seen
    unit = tf.eye(shift.shape[-1])
    if around is None:
        return precision + code_precision * unit, shift
    return precision + around.precisions[:, None, None] * unit, shift + around.precisions[:, None] * around.means


def code(
    geometry: Geometry, of_code: tuple[tf.Tensor, tf.Tensor], seed: tf.Tensor, rows: int | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """(s | all else, of all places at once, its mean): [N, H, W, K] twice, of `posterior`; `rows` of noise."""
    precision, shift = of_code
    normal = noise.normal(conjugate.noise_shape(tf.shape(shift), rows), seed)
    both = conjugate.gaussian_and_mean(precision, shift, tf.broadcast_to(normal, tf.shape(shift)))
    drawn, mean = (tf.reshape(s, [-1, *geometry.code_shape]) for s in both)
    return drawn, mean


def spike_and_slab(
    geometry: Geometry,
    shared: Global,
    local_code: tf.Tensor,
    residual: tf.Tensor,
    masks: Sequence[tf.Tensor],
    seed: tf.Tensor,
    pulls: svm.Pulls | None = None,
    rows: int | None = None,
    log_odds: LogOdds | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """s | all else, map by map, each of which may be off as a whole.

        log odds(z_k = 1) = logit π_k + (m/2) log γ_s − ½ log|Λ_k| + ½ h_kᵀ Λ_k⁻¹ h_k,

    with S_k summed out, Λ_k and h_k as in `posterior` for the m cells of the map; S_k | z_k = 1 right after.

    Args:
        geometry, shared, seed, pulls, rows: as of `code`.
        local_code: [N, H, W, K].
        residual: [N, H, W, C].
        masks: of all pooled layers.
        log_odds: (k, z [N, K]) -> log p(z_k = 1 | ...) − log p(z_k = 0 | ...) of all that is not in the image: [] or
            [N]; by default logit π_k.

    Returns:
        (code, residual).

    Pu 2017, eqs. (3.28) and (3.29).
    """
    height, width, count = geometry.code_shape
    cells, layer = height * width, geometry.num_layers - 1
    units = tf.reshape(tf.eye(cells), [cells, 1, height, width, 1])
    of_places = tf.reshape(shared.beta[:-1], [cells, count, -1])

    def step(
        k: tf.Tensor, maps: tf.Tensor, residual: tf.Tensor, decision: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        element = tf.gather(shared.dictionaries[layer], [k], axis=-1)
        found = geometry.reached(units, layer, element, shared.dictionaries, masks)
        a = tf.reshape(found, [cells, -1, geometry.num_pixels])
        a = tf.transpose(tf.broadcast_to(a, [cells, tf.shape(maps)[0], geometry.num_pixels]), [1, 0, 2])
        now = tf.gather(maps, k, axis=-1)
        flat = tf.reshape(residual, [-1, geometry.num_pixels])
        without = flat + tf.einsum("nip,ni->np", a, now)
        precision = shared.noise_precision * tf.matmul(a, a, transpose_b=True)
        precision += shared.code_precision * tf.eye(cells)
        shift = shared.noise_precision * tf.einsum("nip,np->ni", a, without)
        beta = of_places[:, k]
        if pulls is not None:
            others = decision - tf.einsum("ni,ic->nc", now, beta)
            precision += tf.einsum("nc,ic,jc->nij", pulls.weight, beta, beta)
            shift += tf.einsum("nc,ic->ni", pulls.weight * (pulls.target - others), beta)
        on_seed, normal_seed = noise.split(noise.fold_in(seed, k), 2)
        odds = _logit(shared.usage[k]) if log_odds is None else log_odds(k, _any(maps))
        on = _is_on(odds, shared.code_precision, precision, shift, on_seed, rows)
        normal = noise.normal(conjugate.noise_shape(tf.shape(shift), rows), normal_seed)
        drawn = conjugate.gaussian(precision, shift, tf.broadcast_to(normal, tf.shape(shift)))
        drawn = tf.where(on[:, None], drawn, 0.0)
        if pulls is not None:
            decision = others + tf.einsum("ni,ic->nc", drawn, beta)
        after = tf.reshape(without - tf.einsum("nip,ni->np", a, drawn), tf.shape(residual))
        after = tf.ensure_shape(after, residual.shape)
        return k + 1, tf.where(tf.range(count) == k, drawn[..., None], maps), after, decision

    maps = tf.reshape(local_code, [-1, cells, count])
    decision = svm.decision(local_code, shared.beta)
    start = (tf.constant(0), maps, residual, decision)
    _, maps, residual, _ = tf.while_loop(lambda k, *_: k < count, step, start)
    return tf.reshape(maps, tf.shape(local_code)), residual


def _logit(probs: tf.Tensor) -> tf.Tensor:
    return tf.math.log(probs) - tf.math.log1p(-probs)


def _any(maps: tf.Tensor) -> tf.Tensor:
    """z of maps [N, cells, K]: [N, K]."""
    return tf.cast(tf.reduce_any(maps != 0.0, axis=1), tf.float32)


def _is_on(
    log_odds: tf.Tensor,
    code_precision: tf.Tensor,
    precision: tf.Tensor,
    shift: tf.Tensor,
    seed: tf.Tensor,
    rows: int | None,
) -> tf.Tensor:
    """z_k of every image, bool [N]."""
    lower = tf.linalg.cholesky(precision)
    half = tf.linalg.triangular_solve(lower, shift[..., None])[..., 0]
    log_odds += 0.5 * float(shift.shape[-1]) * tf.math.log(code_precision)
    log_odds += 0.5 * tf.reduce_sum(half**2, axis=-1) - tf.reduce_sum(tf.math.log(tf.linalg.diag_part(lower)), axis=-1)
    u = conjugate.open_uniform(conjugate.noise_shape(tf.shape(log_odds), rows), seed)
    return _logit(u) < log_odds


def switched(code: tf.Tensor) -> tf.Tensor:
    """(images that have a map on, images that have it off), of every map: float32 [2, K]."""
    on = tf.reduce_sum(tf.cast(tf.reduce_any(code != 0.0, axis=[1, 2]), tf.float32), axis=0)
    return tf.stack([on, tf.cast(tf.shape(code)[0], tf.float32) - on])


def usage(switched: tf.Tensor, prior: Prior, seed: tf.Tensor) -> tf.Tensor:
    """π | z ~ Beta(a + images that have the map on, b + the others): [K]."""
    log_pi = conjugate.log_dirichlet(tf.transpose(switched) + tf.constant(prior.usage), seed)[:, 0]
    return tf.clip_by_value(tf.exp(log_pi), *USAGES)
