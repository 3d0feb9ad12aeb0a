"""Shards that `ingest` wrote, checked against their manifest before the first step."""

import functools
import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae import batch as batches
from tfvae.data import manifest, records, tfrecord_format
from tfvae.data.rows import NO_LABEL, Rows, Source

_BATCH = 256


def load(config):
    """The shards in `config.path`.

    Unlabelled training rows that would take more than `max_memory_bytes` are left in their files, to be read as they
    are needed; everything else is read into memory. Every record is checked either way.

    Args:
        config: `tfvae.data.load.Config`; `path`, `image_size`, `max_memory_bytes` and `on_bad_record` are used.

    Returns:
        `Source`.

    Raises:
        ValueError: for shards that are not what their manifest says, or records that are not what they must be. With
            the policy `quarantine`, damaged records are left out, counted and reported instead.
    """
    if not config.path:
        raise ValueError("The source 'shards' needs `data.path`, the folder that ingest wrote.")
    described = manifest.read(config.path)
    damaged = manifest.verify(config.path, described, config.on_bad_record)
    reader = _Reader(Path(config.path), described, damaged, config.on_bad_record)
    bare = described.of("train", batches.UNLABELLED)
    streams = sum(shard.records for shard in bare) * math.prod(described.image_shape) > config.max_memory_bytes
    # A file with a damaged record ends TensorFlow's reader, so what is left of it is kept in memory.
    streamed = [shard for shard in bare if streams and shard.name not in damaged and not reader.find_bad(shard)]
    in_memory = [shard for shard in bare if shard not in streamed]
    validation = _all(reader, described, "validation")
    source = Source(
        train=reader.rows(
            described.of("train", batches.LABELLED) + described.of("train", batches.CAPTIONED) + in_memory
        ),
        test=_all(reader, described, "test"),
        class_names=described.class_names,
        streamed=tuple(str(Path(config.path) / shard.name) for shard in streamed),
        num_streamed=sum(shard.records for shard in streamed),
        streamed_sha256=tuple(shard.sha256 for shard in streamed),
        validation=validation if len(validation) else None,
    )
    reader.report()
    height, width, _ = described.image_shape
    if config.image_size and (height, width) != (config.image_size, config.image_size):
        logging.warning(
            "The shards hold images of %d x %d; `data.image_size`=%d is for ingest and not used.", width, height,
            config.image_size,
        )  # fmt: skip
    return source


def _all(reader, described, split):
    return reader.rows([shard for stream in manifest.STREAMS for shard in described.of(split, stream)])


class _Reader:
    """Reads shards into memory and keeps account of the records that are left out."""

    def __init__(self, folder, described, damaged, on_bad_record):
        self.folder = folder
        self.described = described
        self.damaged = damaged
        self.on_bad_record = on_bad_record
        self.left_out = {}
        self._parse = self._compiled(records.parse)
        self._check = self._compiled(records.check)

    def _compiled(self, read):
        read = functools.partial(read, image_shape=self.described.image_shape)
        return tf.function(read, input_signature=[tf.TensorSpec([None], tf.string)])

    def rows(self, shards):
        """The good records of shards, in order, in one copy."""
        num = sum(shard.records for shard in shards)
        image = np.empty((num, *self.described.image_shape), np.uint8)
        label = np.empty(num, np.int64)
        start, captions = 0, []
        for shard in shards:
            for entries, texts in self._entries(shard):
                end = start + len(entries[batches.LABEL])
                image[start:end], label[start:end] = entries[batches.IMAGE], entries[batches.LABEL]
                captions += texts
                start = end
        return Rows(image[:start], label[:start], tuple(captions) if any(captions) else ())

    def find_bad(self, shard):
        """Whether a shard that is to stay in its file has bad records, found without decoding an image.

        Raises:
            ValueError: for the first one, unless they are to be left out.
        """
        for serialised, offsets in self._batches(shard):
            self._bad(shard, serialised, offsets, self._check)
        return shard.name in self.left_out

    def report(self):
        """Says what was left out, shard by shard."""
        for name, damage in self.left_out.items():
            num = next(shard.records for shard in self.described.shards if shard.name == name)
            logging.warning("Left out %d of %d records. The first: %s.", len(damage), num, damage[0])

    def _entries(self, shard):
        """Batches of (parsed entries, captions of each), bad records left out."""
        if shard.name in self.damaged:
            self.left_out[shard.name] = list(self.damaged[shard.name])
        for serialised, offsets in self._batches(shard):
            bad = self._bad(shard, serialised, offsets, self._parse)
            good = tf.boolean_mask(serialised, [offset not in bad for offset in offsets])
            texts = [()] * len(good)
            if self.described.captions:
                texts = [
                    tuple(text.decode(errors="replace") for text in row) for row in records.captions(good).to_list()
                ]
            yield {name: value.numpy() for name, value in self._parse(good).items()}, texts

    def _batches(self, shard):
        """(serialised records [B], the bytes at which they begin), as far as their checksums are right."""
        path = self.folder / shard.name
        if shard.name in self.damaged:
            intact = [frame for frame in tfrecord_format.frames(path) if frame.payload is not None]
            for i in range(0, len(intact), _BATCH):
                some = intact[i : i + _BATCH]
                yield tf.constant([frame.payload for frame in some]), [frame.offset for frame in some]
            return
        begin = 0
        for serialised in tf.data.TFRecordDataset(str(path)).batch(_BATCH):
            ends = begin + np.cumsum([tfrecord_format.size(record) for record in serialised.numpy()])
            yield serialised, [begin, *ends[:-1].tolist()]
            begin = int(ends[-1])

    def _bad(self, shard, serialised, offsets, read):
        """The offsets of records that are not as they must be; a ValueError for the first unless they are left out."""
        labelled = shard.stream == batches.LABELLED
        if self._all_right(serialised, labelled, read):
            return set()
        found = [
            manifest.Damage(shard.name, offset, text)
            for offset, record in zip(offsets, serialised.numpy(), strict=True)
            if (text := self._problem(record, labelled, read))
        ]
        if found and self.on_bad_record == "stop":
            raise manifest.DamagedShards(
                f"{self.folder}/{found[0]}. These shards were not written for this data: run ingest again, or start "
                "with --config.data.on_bad_record=quarantine to go on without such records."
            )
        self.left_out.setdefault(shard.name, []).extend(found)
        return {damage.offset for damage in found}

    def _problem(self, record, labelled, read):
        text = records.problem(record, self.described.image_shape, len(self.described.class_names), labelled)
        if not text and not self._all_right(tf.constant([record]), labelled, read):
            return "its image cannot be decoded"
        return text

    def _all_right(self, serialised, labelled, read):
        try:
            label = read(serialised)[batches.LABEL].numpy()
        except (tf.errors.OpError, UnicodeDecodeError):  # The second: TensorFlow fails to quote a broken record.
            return False
        if labelled:
            return bool(np.all((label >= 0) & (label < len(self.described.class_names))))
        return bool(np.all(label == NO_LABEL))
