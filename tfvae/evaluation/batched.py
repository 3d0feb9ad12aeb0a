"""Rows in batches of one fixed shape, so that a compiled function is traced once."""

import numpy as np

from tfvae.batch import IMAGE

# Numbers in the largest activation of one call, 40 MB of them: what bounds the memory of an evaluation.
_MAX_VALUES = 10_000_000


def at_once(model, most):
    """Rows times draws of one call: at most `most`, and no more than fit into memory, at least one."""
    return max(1, min(most, _MAX_VALUES // model.widest_layer))


def observations(data, rows, batch_size, seed=None):
    """Yields (image [batch_size, *image_shape], number of rows that count, index of the batch).

    The last batch is filled up with repeats of its last row.

    Args:
        data: `tfvae.data.load.Data`.
        rows: `Examples`.
        batch_size: rows in each batch; more than there are rows means one batch of all rows.
        seed: integer for the noise of the observations; None for the expected observation.
    """
    batch_size = max(1, min(batch_size, len(rows)))
    for index, start in enumerate(range(0, len(rows), batch_size)):
        part = rows.take(np.arange(start, min(start + batch_size, len(rows))))
        part_seed = None if seed is None else batch_seed(seed, index)
        image = np.asarray(data.observe(part, part_seed), np.float32)
        missing = batch_size - len(part)
        if missing:
            image = np.concatenate([image, np.repeat(image[-1:], missing, axis=0)])
        yield image, len(part), index


def batch_seed(seed, index):
    """Another non-negative int32 for every (seed, batch)."""
    return int(np.random.SeedSequence([abs(int(seed)), index]).generate_state(1)[0] >> 1)


def map_rows(function, data, rows, batch_size, seed=None):
    """`function(image, index)` over all rows, the answers joined: [N, ...] as NumPy.

    Args:
        function: a batch of observations and the batch's index -> tensor [batch_size, ...].
        data, rows, batch_size, seed: as in `observations`.

    Raises:
        ValueError: for no rows at all.
    """
    if not len(rows):
        raise ValueError("There are no rows to evaluate. Use a split that has some: `data.test` or `data.validation`.")
    parts = [
        np.asarray(function(image, index))[:count] for image, count, index in observations(data, rows, batch_size, seed)
    ]
    return np.concatenate(parts)


def subset(rows, limit, seed=0):
    """A seeded random choice of at most `limit` rows that have an image, without repeats; all for `limit` 0 or None."""
    has_image = rows.has(IMAGE)
    rows = rows if has_image.all() else rows.take(np.flatnonzero(has_image))
    if not limit or limit >= len(rows):
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)
    return rows.take(np.sort(chosen))


def chunk_sizes(total, largest):
    """`total` draws in calls of at most `largest`: [5, 5, 2] for 12 and 5."""
    full, rest = divmod(total, largest)
    return [largest] * full + [rest] * bool(rest)
