"""Streams of rows -> an endless dataset of batches with exact counts.

Batch t is a function of (seed, t) alone: permutations and noise are stateless, so a resumed run sees what the
uninterrupted one would have. Rows are gathered a batch at a time from one permutation an epoch, which is seven times
faster than shuffling and batching elements.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.batch import CAPTION, END, IMAGE, LABEL, ROW
from tfvae.data import records
from tfvae.data.rows import Rows
from tfvae.probability import noise

ORDER, NOISE, _AUGMENTATION, _CAPTION = 1, 2, 3, 4
_FOREVER = np.iinfo(np.int64).max


class StreamSpec(NamedTuple):
    """One stream of a batch.

    rows: in memory; the shape template where `files` are streamed instead.
    batch_size: rows of the stream in every batch.
    label: whether its batches carry labels.
    captions: int32 [N, M, T] of the rows, of which each batch carries one a row, drawn anew; None for none.
    files: TFRecord files read as they are needed, instead of `rows`.
    num_rows: rows in `files`.
    numbers: int64 [N], the numbers of `rows` among all training rows, which its batches then carry; None for none.
    """

    rows: Rows
    batch_size: int
    label: bool = False
    captions: np.ndarray | None = None
    files: tuple[str, ...] = ()
    num_rows: int = 0
    numbers: np.ndarray | None = None


def training_batches(streams, transform, seed, start_step=0, num_replicas=1):
    """An endless dataset of {stream: {entry: tensor}}, beginning with the batch of `start_step`.

    Args:
        streams: name -> `StreamSpec`.
        transform: fitted `tfvae.data.transforms.Transform`.
        seed: of order and noise.
        start_step: the first batch.
        num_replicas: batches are cut into that many equal parts, which follow one another.

    Raises:
        ValueError: where a batch cannot be divided by the replicas.
    """
    for name, spec in streams.items():
        if spec.batch_size % num_replicas:
            raise ValueError(
                f"The {name} batch of {spec.batch_size} cannot be divided among {num_replicas} replicas; "
                f"set `data.{name}_batch` to a multiple of {num_replicas}."
            )
    raws = {
        name: _raw_batches(spec, noise.seed(seed, ORDER, i), seed + i, start_step)
        for i, (name, spec) in enumerate(streams.items())
    }
    steps = tf.data.Dataset.range(start_step, _FOREVER)
    dataset = tf.data.Dataset.zip((steps, raws)).map(
        lambda step, raw: observed(raw, transform, noise.seed(seed, NOISE, step)),
        num_parallel_calls=2,
        deterministic=True,
    )
    if num_replicas > 1:
        dataset = dataset.map(lambda batch: _cut(batch, num_replicas)).unbatch()
    return dataset.prefetch(4)


def _raw_batches(spec, seed, file_seed, start_step):
    """Endless {entry: raw rows} of one stream."""
    if spec.files:
        shape = spec.rows.image.shape[1:]
        images = records.stream(spec.files, shape, spec.batch_size, file_seed, start_step, spec.num_rows)
        return images.map(lambda image: {IMAGE: image})
    image, label = tf.constant(spec.rows.image), tf.constant(spec.rows.label)
    captions = None if spec.captions is None else tf.constant(spec.captions)
    numbers = None if spec.numbers is None else tf.constant(spec.numbers)

    def gather(indices):
        entries = {IMAGE: tf.gather(image, indices)}
        if spec.label:
            entries[LABEL] = tf.gather(label, indices)
        if spec.captions is not None:
            entries[CAPTION] = tf.gather(captions, indices)
        if numbers is not None:
            entries[ROW] = tf.gather(numbers, indices)
        return entries

    return batch_indices(len(spec.rows), spec.batch_size, seed, start_step).map(gather)


def batch_indices(num_rows, batch_size, seed, start_step=0):
    """Endless [batch_size] indices: a new permutation an epoch, whose last incomplete batch is dropped.

    Where a batch is larger than the rows there are, it is filled with several permutations, so that every row appears
    as often as any other to within one.
    """
    perms = -(-batch_size // num_rows)
    steps_per_epoch = max(num_rows // batch_size, 1)

    def epoch_batches(epoch):
        def permutation(i):
            rows = tf.range(num_rows)
            perm_seed = noise.fold_in(noise.fold_in(seed, epoch), i)
            return tf.random.experimental.stateless_shuffle(rows, perm_seed, alg="philox")

        order = tf.concat([permutation(i) for i in range(perms)], axis=0)
        batches = tf.reshape(order[: steps_per_epoch * batch_size], [steps_per_epoch, batch_size])
        return tf.data.Dataset.from_tensor_slices(batches)

    epoch, skipped = divmod(start_step, steps_per_epoch)
    return tf.data.Dataset.range(epoch, _FOREVER).flat_map(epoch_batches).skip(skipped)


def observed(raw, transform, seed):
    """All streams through the transform in one pass: one gather of pixels, one draw of noise."""
    sizes = [entries[IMAGE].shape[0] for entries in raw.values()]
    image = tf.concat([entries[IMAGE] for entries in raw.values()], axis=0)
    if transform.augments:
        image = transform.augment(image, noise.fold_in(seed, _AUGMENTATION))
    x = transform.observe(image, seed)
    parts = tf.split(x, sizes)
    batch = {}
    for (name, entries), part, size in zip(raw.items(), parts, sizes):
        batch[name] = {**entries, IMAGE: tf.ensure_shape(part, [size, *transform.image_shape])}
        if CAPTION in entries:
            batch[name][CAPTION] = _one_of_each(entries[CAPTION], noise.fold_in(seed, _CAPTION))
    return batch


def _one_of_each(captions, seed):
    """One caption a row of those that it has: [B, M, T] -> [B, T]. Missing ones, which come last, have no word."""
    num = tf.reduce_sum(tf.cast(captions[:, :, 0] != END, tf.int32), axis=1)
    drawn = tf.cast(noise.uniform(tf.shape(num), seed) * tf.cast(num, tf.float32), tf.int32)
    return tf.gather(captions, drawn, batch_dims=1)


def _cut(batch, parts):
    return tf.nest.map_structure(lambda x: tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]]), batch)
