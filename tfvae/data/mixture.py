"""Streams of examples -> an endless dataset of batches with exact counts.

Batch t is a function of (seed, t) alone: permutations and noise are stateless, so a resumed run sees what the
uninterrupted one would have. Rows are gathered a batch at a time from one permutation an epoch, which is seven times
faster than shuffling and batching elements; images that stay in their shards are read record by record instead, in the
same order.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.batch import IMAGE, is_image
from tfvae.data import records
from tfvae.data.entries.image import Image
from tfvae.data.entry import Entry
from tfvae.data.examples import Examples, Streamed
from tfvae.probability import noise

ORDER, NOISE, _AUGMENTATION = 1, 2, 3
_FOREVER = np.iinfo(np.int64).max


class StreamSpec(NamedTuple):
    """One stream of a batch.

    rows: the examples, which all have the entries; the shape template where images are streamed instead.
    batch_size: rows of the stream in every batch.
    entries: name -> entry, of what its batches carry, images first.
    streamed: images that are read file by file, instead of `rows`.
    """

    rows: Examples
    batch_size: int
    entries: dict[str, Entry]
    streamed: Streamed = Streamed()

    @property
    def num_rows(self):
        """Different rows of the stream."""
        return self.streamed.num or len(self.rows)


def training_batches(streams, transforms, seed, start_step=0, num_replicas=1):
    """An endless dataset of {stream: {entry: tensor}}, beginning with the batch of `start_step`.

    Args:
        streams: name -> `StreamSpec`.
        transforms: modality -> fitted `tfvae.data.transforms.Transform`, the first one first.
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
                f"set its size in `data` to a multiple of {num_replicas}."
            )
    raws = {
        name: _raw_batches(spec, noise.seed(seed, ORDER, i), seed + i, start_step)
        for i, (name, spec) in enumerate(streams.items())
    }
    entries = {name: entry for spec in streams.values() for name, entry in spec.entries.items()}
    steps = tf.data.Dataset.range(start_step, _FOREVER)
    dataset = tf.data.Dataset.zip((steps, raws)).map(
        lambda step, raw: observed(raw, transforms, entries, noise.seed(seed, NOISE, step)),
        num_parallel_calls=2,
        deterministic=True,
    )
    if num_replicas > 1:
        dataset = dataset.map(lambda batch: _cut(batch, num_replicas)).unbatch()
    return dataset.prefetch(4)


def _raw_batches(spec, seed, file_seed, start_step):
    """Endless {entry: raw rows} of one stream."""
    if spec.streamed.files:
        image = Image(IMAGE, spec.rows[IMAGE].shape[1:])
        files, num = spec.streamed.files, spec.streamed.num
        images = records.stream(files, image, spec.batch_size, file_seed, start_step, num)
        return images.map(lambda image: {IMAGE: image})
    sources = {name: entry.source(spec.rows[name]) for name, entry in spec.entries.items()}
    return batch_indices(len(spec.rows), spec.batch_size, seed, start_step).map(
        lambda indices: {name: rows_of(indices) for name, rows_of in sources.items()},
        num_parallel_calls=tf.data.AUTOTUNE if spec.rows.stored else None,
        deterministic=True if spec.rows.stored else None,
    )


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

        # A loop of the graph: as many copies of the shuffle as a large batch has permutations are slow to trace.
        order = tf.map_fn(permutation, tf.range(perms)) if perms > 1 else permutation(0)
        batches = tf.reshape(tf.reshape(order, [-1])[: steps_per_epoch * batch_size], [steps_per_epoch, batch_size])
        return tf.data.Dataset.from_tensor_slices(batches)

    epoch, skipped = divmod(start_step, steps_per_epoch)
    return tf.data.Dataset.range(epoch, _FOREVER).flat_map(epoch_batches).skip(skipped)


def observed(raw, transforms, entries, seed):
    """Raw rows of all streams -> what the batch carries.

    Args:
        raw: {stream: {entry: tensor}}.
        transforms: modality -> `Transform`, the first one first.
        entries: name -> entry.
        seed: int32 [2], of the step.
    """
    batch = {
        stream: {
            name: value if is_image(name) else entries[name].drawn(value, noise.fold_in(seed, entries[name].noise_key))
            for name, value in rows.items()
        }
        for stream, rows in raw.items()
    }
    for number, (name, transform) in enumerate(transforms.items()):
        own = noise.fold_in(seed, entries[name].noise_key) if number and name in entries else seed
        _observe(batch, name, transform, own)
    return batch


def _observe(batch, name, transform, seed):
    """One modality of all streams through its transform in one pass: one gather of pixels, one draw of noise."""
    streams = [rows for rows in batch.values() if name in rows]
    if not streams:
        return
    sizes = [rows[name].shape[0] for rows in streams]
    image = tf.concat([rows[name] for rows in streams], axis=0)
    if transform.augments:
        image = transform.augment(image, noise.fold_in(seed, _AUGMENTATION))
    parts = tf.split(transform.observe(image, seed), sizes)
    for rows, part, size in zip(streams, parts, sizes):
        rows[name] = tf.ensure_shape(part, [size, *transform.image_shape])


def _cut(batch, parts):
    return tf.nest.map_structure(lambda x: tf.reshape(x, [parts, x.shape[0] // parts, *x.shape[1:]]), batch)
