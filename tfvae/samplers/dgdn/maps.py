"""The maps of a pooled layer and their probabilities, given all else."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from tfvae.layers import unpooling
from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Global, Prior

# (position, residual) -> the same after a redraw of all maps of a layer.
Steps: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def log_theta(
    position: tf.Tensor, outcomes: int, prior: Prior, block: int, seed: tf.Tensor, rows: int | None = None
) -> tf.Tensor:
    """log θ | z, of every image and map: θ ~ Dir(a + counts of the map's blocks).

    Args:
        position: uint8 [N, h, w, K].
        outcomes: P, of a block.
        prior: `Prior`.
        block: side of a block.
        seed: int32 [2].
        rows: of noise.

    Returns:
        [N, K, P].

    Pu 2017, eqs. (3.15) and (3.16).
    """
    counts = tf.reduce_sum(tf.one_hot(tf.cast(position, tf.int32), outcomes), axis=[1, 2])
    if prior.uniform_maps:
        return tf.zeros_like(counts) - tf.math.log(float(outcomes))
    return conjugate.log_dirichlet(counts + concentration(prior, block), seed, rows)


def concentration(prior: Prior, block: int) -> float:
    """a of Dir(a): 1 / block² as the source prints it, also where blank is one of the outcomes."""
    return prior.concentration or 1.0 / block**2


def from_the_prior(geometry: Geometry, prior: Prior, num: int | tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
    """Maps of every pooled layer drawn with their θ: int32 [N, h, w, K]."""
    drawn = []
    for layer, outcomes in enumerate(geometry.outcomes):
        theta_seed, block_seed = noise.split(noise.fold_in(seed, layer), 2)
        height, width, count = geometry.map_shape(layer)
        alpha = tf.fill([num, count, outcomes], concentration(prior, geometry.levels[layer].block))
        probs = conjugate.log_dirichlet(alpha, theta_seed)
        if prior.uniform_maps:
            probs = tf.zeros([num, count, outcomes])
        gumbel = conjugate.gumbel([num, height, width, count, outcomes], block_seed)
        drawn.append(tf.argmax(probs[:, None, None] + gumbel, axis=-1, output_type=tf.int32))
    return drawn


def redraw(
    geometry: Geometry,
    layer: int,
    values: tf.Tensor,
    position: tf.Tensor,
    residual: tf.Tensor,
    log_theta: tf.Tensor,
    shared: Global,
    masks: Sequence[tf.Tensor],
    seed: tf.Tensor,
    rows: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """All maps of a layer | all else, one map after the other, blocks of a colour and all images at once.

        log p(z_b = q | ...) = log θ_q + γ_e (v a_qᵀ r₋ − v² |a_q|² / 2),   r₋ = r + v a_now,

    with v what the block unpools and a_q what one unit at its cell q adds to the image; nothing for the blank outcome.

    Args:
        geometry: `Geometry`.
        layer: a pooled one.
        values: [N, h, w, K], v of every block.
        position: uint8 [N, h, w, K].
        residual: [N, H, W, C], r, the image without its fit.
        log_theta: [N, K, P].
        shared: `Global`.
        masks: of the layers below.
        seed: int32 [2].
        rows: of noise.

    Returns:
        (position, residual) after the step.
    """
    if layer == 0:
        steps = _lowest(geometry, values, log_theta, shared, seed, rows)
    else:
        steps = _upper(geometry, layer, values, log_theta, shared, masks, seed, rows)
    return steps(position, residual)


def _drawn(
    v: tf.Tensor,
    along: tf.Tensor,
    norm: tf.Tensor,
    log_theta: tf.Tensor,
    blank: bool,
    shared: Global,
    seed: tf.Tensor,
    rows: int | None,
) -> tf.Tensor:
    """Outcomes of blocks by Gumbel draws: int32 [N, ...].

    Args:
        v: [N, ...].
        along, norm: a_qᵀ r₋ and |a_q|² of every cell, [N, ..., block²], or what broadcasts to it.
        log_theta: [N, ..., P], likewise.
        blank: whether there is an outcome that adds nothing.
        shared: `Global`.
        seed: int32 [2].
        rows: of noise.
    """
    explained = shared.noise_precision * v[..., None] * (along - 0.5 * v[..., None] * norm)
    if blank:
        explained = tf.concat([explained, tf.zeros_like(explained[..., :1])], axis=-1)
    logits = explained + log_theta
    gumbel = conjugate.gumbel(conjugate.noise_shape(tf.shape(logits), rows), seed)
    return tf.argmax(logits + gumbel, axis=-1, output_type=tf.int32)


def _lowest(
    geometry: Geometry, values: tf.Tensor, log_theta: tf.Tensor, shared: Global, seed: tf.Tensor, rows: int | None
) -> Steps:
    """The steps of the lowest layer, whose a_q are the same for all images: products of matrices.

    Returns:
        (position, residual) -> the same after all of them.
    """
    colour, num_colours = geometry.colours(0)
    (height, width, count), block = geometry.map_shape(0), geometry.levels[0].block
    num_blocks, cells = height * width, geometry.cells(0)[:, : block**2]
    # Blocks of every colour, filled up with one that is not there.
    of_colours = [np.flatnonzero(colour.ravel() == c) for c in range(num_colours)]
    most = max(map(len, of_colours))
    members = np.stack([np.pad(m, (0, most - len(m)), constant_values=num_blocks) for m in of_colours])
    cells = np.concatenate([cells, np.full([1, block**2], geometry.levels[0].maps[0] * geometry.levels[0].maps[1])])
    table = tf.pad(geometry.table(0, shared.dictionaries[0]), [(0, 1), (0, 0), (0, 0)])
    values = tf.pad(tf.reshape(values, [-1, num_blocks, count]), [(0, 0), (0, 1), (0, 0)])

    def step(i: tf.Tensor, position: tf.Tensor, residual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        k, blocks = i // num_colours, tf.gather(members, i % num_colours)
        a = tf.gather(table[:, k], tf.reshape(tf.gather(cells, blocks), [-1]))  # [blocks · block², pixels]
        v = tf.gather(values[..., k], blocks, axis=1)
        now = tf.transpose(tf.gather(position[k], blocks))

        def effect(outcome: tf.Tensor) -> tf.Tensor:
            return tf.matmul(tf.reshape(v[..., None] * tf.one_hot(outcome, block**2), [-1, most * block**2]), a)

        without = residual + effect(now)
        along = tf.reshape(tf.matmul(without, a, transpose_b=True), [-1, most, block**2])
        norm = tf.reshape(tf.reduce_sum(a**2, axis=-1), [most, block**2])
        blank, of_map = geometry.outcomes[0] > block**2, log_theta[:, k][:, None]
        drawn = _drawn(v, along, norm, of_map, blank, shared, noise.fold_in(seed, i), rows)
        places = tf.stack([tf.fill([most], k), tf.cast(blocks, tf.int32)], axis=-1)
        position = tf.tensor_scatter_nd_update(position, places, tf.transpose(drawn))
        return i + 1, position, tf.ensure_shape(without - effect(drawn), residual.shape)

    def steps(position: tf.Tensor, residual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = tf.shape(position)
        flat = tf.transpose(tf.reshape(tf.cast(position, tf.int32), [-1, num_blocks, count]), [2, 1, 0])
        start = (
            tf.constant(0),
            tf.pad(flat, [(0, 0), (0, 1), (0, 0)]),
            tf.reshape(residual, [-1, geometry.num_pixels]),
        )
        _, flat, left = tf.while_loop(lambda i, *_: i < count * num_colours, step, start)
        drawn = tf.reshape(tf.transpose(flat[:, :num_blocks], [2, 1, 0]), shape)
        return (
            tf.ensure_shape(tf.cast(drawn, tf.uint8), position.shape),
            tf.ensure_shape(tf.reshape(left, tf.shape(residual)), residual.shape),
        )

    return steps


def _upper(
    geometry: Geometry,
    layer: int,
    values: tf.Tensor,
    log_theta: tf.Tensor,
    shared: Global,
    masks: Sequence[tf.Tensor],
    seed: tf.Tensor,
    rows: int | None,
) -> Steps:
    """The same of another layer."""
    colour, num_colours = geometry.colours(layer)
    level, dictionaries = geometry.levels[layer], shared.dictionaries

    def step(i: tf.Tensor, position: tf.Tensor, residual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        k = i // num_colours
        active = tf.constant(colour)[..., None] == i % num_colours
        element = tf.gather(dictionaries[layer], [k], axis=-1)
        v = tf.gather(values, [k], axis=-1)
        now = tf.cast(tf.gather(position, [k], axis=-1), tf.int32)

        def effect(outcome: tf.Tensor) -> tf.Tensor:
            """What the active blocks add to the image."""
            units = unpooling.unpool(tf.where(active, v, 0.0), unpooling.mask_of(outcome, level.block), level.block)
            return geometry.reached(units[None], layer, element, dictionaries, masks)[0]

        without = residual + effect(now)
        along, norm = _project_upper(geometry, layer, element, without, active, dictionaries, masks)
        blank, of_map = geometry.outcomes[layer] > level.block**2, tf.gather(log_theta, [k], axis=1)[:, None, None]
        drawn = _drawn(v, along, norm, of_map, blank, shared, noise.fold_in(seed, i), rows)
        drawn = tf.where(active, drawn, now)
        chosen = tf.range(position.shape[-1]) == k
        position = tf.where(chosen, tf.cast(drawn, tf.uint8), position)
        return i + 1, position, tf.ensure_shape(without - effect(drawn), residual.shape)

    def steps(position: tf.Tensor, residual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        num = geometry.elements[layer] * num_colours
        return tf.while_loop(lambda i, *_: i < num, step, (tf.constant(0), position, residual))[1:]

    return steps


def _project_upper(
    geometry: Geometry,
    layer: int,
    element: tf.Tensor,
    residual: tf.Tensor,
    active: tf.Tensor,
    dictionaries: Sequence[tf.Tensor],
    masks: Sequence[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """a_qᵀ r and |a_q|² of the active blocks' cells: units at one cell of all of them are pushed down together.

    They reach no pixel in common, so sums over what a block reaches tell them apart.
    """
    level = geometry.levels[layer]
    height, width, _ = geometry.map_shape(layer)
    rows, columns = (tf.constant(reached) for reached in geometry.reach(layer))
    ones = tf.cast(tf.broadcast_to(active[None], [1, height, width, 1]), tf.float32)
    cells = [
        unpooling.unpool(ones, unpooling.mask_of(tf.fill([1, height, width, 1], q), level.block), level.block)
        for q in range(level.block**2)
    ]
    a = geometry.reached(tf.stack(cells), layer, element, dictionaries, masks)

    def of_blocks(pixels: tf.Tensor) -> tf.Tensor:
        return tf.einsum("qnyxc,hy,wx->nhwq", pixels, rows, columns)[..., None, :]

    return of_blocks(a * residual), of_blocks(a**2)


def moved(before: tf.Tensor, after: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The share of blocks that moved, weighted by |v|: a block that writes nothing wanders freely and says nothing."""
    weight = tf.abs(values)
    return tf.reduce_sum(tf.where(before != after, weight, 0.0)) / (tf.reduce_sum(weight) + 1e-30)
