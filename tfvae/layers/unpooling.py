"""Pooling and unpooling by one and the same map.

A map says for every block of `block` × `block` cells which cell is the one that counts. Two forms:

    position  int32 [B, h, w, C], the cell in reading order; `block**2`, which is none, blanks the whole block
    mask      [B, H, W, C] = [B, h·block, w·block, C], 1 at the cell that counts, 0 elsewhere

Values stay in the order [B, h, block, w, block, C] in which an image lies in memory, so nothing is transposed and a
compiler can write each cell once.
"""

import tensorflow as tf

from tfvae.probability import noise


def mask_of(position, block):
    """The mask of a map: [B, h, w, C] -> float32 [B, h·block, w·block, C]."""
    cell = tf.reshape(tf.range(block**2), [1, 1, block, 1, block, 1])
    return _as_image(tf.cast(position[:, :, None, :, None] == cell, tf.float32))


def unpool(pooled, mask, block):
    """Writes each pooled value into one cell of its block; the others are zero.

    Args:
        pooled: [B, h, w, C].
        mask: [B, h·block, w·block, C].
        block: side of the square block.

    Returns:
        [B, h·block, w·block, C].

    Pu et al. 2016, section 2.1, eq. (2).
    """
    return _as_image(pooled[:, :, None, :, None] * _as_blocks(mask, block))


def repeat(pooled, block):
    """Writes each pooled value into every cell of its block: [B, h, w, C] -> [B, h·block, w·block, C]."""
    cells = tf.ones([1, 1, block, 1, block, 1], pooled.dtype)

    @tf.custom_gradient
    def repeated(maps):
        return _as_image(maps[:, :, None, :, None] * cells), lambda upstream: block_sums(upstream, block)

    return repeated(pooled)


def block_sums(maps, block):
    """The transpose of `repeat`: [B, h·block, w·block, C] -> [B, h, w, C].

    A sum over two axes of six takes eight times as long as this pooling outside of a compiled function.
    """
    return block**2 * tf.nn.avg_pool2d(maps, block, block, "VALID")


def maximum_mask(maps, pooled, block, shared=True):
    """The mask of each block's maximum, blank where that is 0, of maps that are not negative.

    Args:
        maps: [B, h·block, w·block, C].
        pooled: [B, h, w, C], the maxima.
        block: side of the square block.
        shared: whether equal maxima of a block share its 1; else each of them has it.

    Returns:
        [B, h·block, w·block, C].
    """
    maxima = pooled[:, :, None, :, None]
    mask = _as_image(tf.cast((_as_blocks(maps, block) == maxima) & (maxima > 0), maps.dtype))
    if not shared:
        return mask
    shares = 1.0 / tf.maximum(block_sums(mask, block), 1.0)
    return unpool(shares, mask, block)


def pool(maps, mask, block):
    """Reads the cell that counts of each block: [B, h·block, w·block, C] -> [B, h, w, C] (eq. 6)."""
    return tf.reduce_sum(_as_blocks(maps * mask, block), axis=[2, 4])


def blocks(maps, block):
    """The cells of each block as a vector: [B, h·block, w·block, C] -> [B, h, w, C, block**2]."""
    cells = tf.transpose(_as_blocks(maps, block), [0, 1, 3, 5, 2, 4])
    return tf.reshape(cells, tf.concat([tf.shape(cells)[:4], [block**2]], axis=0))


def from_blocks(cells, block):
    """The inverse of `blocks`: [B, h, w, C, block**2] -> [B, h·block, w·block, C]."""
    apart = tf.reshape(cells, tf.concat([tf.shape(cells)[:4], [block, block]], axis=0))
    return _as_image(tf.transpose(apart, [0, 1, 4, 2, 5, 3]))


def draw_position(logits, seed):
    """One draw a block from Mult(softmax(logits)): float32 [..., P] -> int32 [...].

    A single uniform number a block is held against the cumulative probabilities; a Gumbel draw would take P of them.
    """
    edges = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
    return tf.reduce_sum(tf.cast(noise.uniform(tf.shape(edges)[:-1], seed)[..., None] >= edges, tf.int32), axis=-1)


def uniform_position(shape, num_outcomes, seed):
    """Draws from the prior, where every outcome of a block is equally probable: int32 of that shape."""
    return tf.cast(noise.uniform(shape, seed) * num_outcomes, tf.int32)


def _as_blocks(maps, block):
    """[B, h·block, w·block, C] -> [B, h, block, w, block, C], the same memory."""
    batch, height, width, channels = tf.unstack(tf.shape(maps))
    split = tf.reshape(maps, [batch, height // block, block, width // block, block, channels])
    return tf.ensure_shape(split, [None, None, block, None, block, maps.shape[-1]])


def _as_image(cells):
    """The inverse of `_as_blocks`."""
    shape = tf.shape(cells)
    image = tf.reshape(cells, [shape[0], shape[1] * shape[2], shape[3] * shape[4], shape[5]])
    return tf.ensure_shape(image, [None, None, None, cells.shape[-1]])
