"""The maps of a pooled layer and their probabilities, given all else."""

import tensorflow as tf

from tfvae.layers import unpooling
from tfvae.probability import conjugate, noise


def log_theta(position, outcomes, prior, block, seed, rows=None):
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


def concentration(prior, block):
    """a of Dir(a): 1 / block² as the source prints it, also where blank is one of the outcomes."""
    return prior.concentration or 1.0 / block**2


def from_the_prior(geometry, prior, num, seed):
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


def redraw(geometry, layer, values, position, residual, log_theta, shared, masks, seed, rows=None):
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
    colour, num_colours = geometry.colours(layer)
    level, outcomes = geometry.levels[layer], geometry.outcomes[layer]
    project = _project_lowest if layer == 0 else _project_upper
    dictionaries, precision = shared.dictionaries, shared.noise_precision

    def step(i, position, residual):
        k = i // num_colours
        active = tf.constant(colour)[..., None] == i % num_colours
        element = tf.gather(dictionaries[layer], [k], axis=-1)
        v = tf.gather(values, [k], axis=-1)
        now = tf.cast(tf.gather(position, [k], axis=-1), tf.int32)

        def effect(cells):
            """What the active blocks add to the image, at these cells."""
            units = unpooling.unpool(tf.where(active, v, 0.0), unpooling.mask_of(cells, level.block), level.block)
            return geometry.reached(units[None], layer, element, dictionaries, masks)[0]

        without = residual + effect(now)
        along, norm = project(geometry, layer, element, without, active, dictionaries, masks)
        explained = precision * v[..., None] * (along - 0.5 * v[..., None] * norm)
        if outcomes > level.block**2:
            explained = tf.concat([explained, tf.zeros_like(explained[..., :1])], axis=-1)
        logits = explained + tf.gather(log_theta, [k], axis=1)[:, None, None]
        shape = conjugate.noise_shape(tf.shape(logits), rows)
        drawn = tf.argmax(logits + conjugate.gumbel(shape, noise.fold_in(seed, i)), axis=-1, output_type=tf.int32)
        drawn = tf.where(active, drawn, now)
        chosen = tf.range(position.shape[-1]) == k
        position = tf.where(chosen, tf.cast(drawn, tf.uint8), position)
        return i + 1, position, tf.ensure_shape(without - effect(drawn), residual.shape)

    steps = geometry.elements[layer] * num_colours
    _, position, residual = tf.while_loop(lambda i, *_: i < steps, step, (tf.constant(0), position, residual))
    return position, residual


def _project_lowest(geometry, layer, element, residual, active, dictionaries, masks):
    """a_qᵀ r and |a_q|² of all cells of a map of the lowest layer, [N or 1, h, w, 1, block²] each: a correlation."""
    del active, dictionaries, masks
    level = geometry.levels[layer]
    padding = [(0, 0), *level.padding, (0, 0)]

    def correlate(image, kernel):
        found = tf.nn.conv2d(tf.pad(image, padding), kernel, 1, "VALID")
        return unpooling.blocks(found, level.block)

    ones = tf.ones([1, *geometry.image_shape])
    return correlate(residual, element), correlate(ones, element**2)


def _project_upper(geometry, layer, element, residual, active, dictionaries, masks):
    """The same of an upper layer, for the active blocks: units at one cell of all of them are pushed down together.

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

    def of_blocks(pixels):
        return tf.einsum("qnyxc,hy,wx->nhwq", pixels, rows, columns)[..., None, :]

    return of_blocks(a * residual), of_blocks(a**2)


def moved(before, after, values):
    """The share of blocks that moved, weighted by |v|: a block that writes nothing wanders freely and says nothing."""
    weight = tf.abs(values)
    return tf.reduce_sum(tf.where(before != after, weight, 0.0)) / (tf.reduce_sum(weight) + 1e-30)
