"""Shards that `ingest` wrote, checked against their manifest before the first step."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae import batch as batches
from tfvae.data import manifest, records
from tfvae.data.columns import Stored, partial
from tfvae.data.examples import Examples, Source, Streamed
from tfvae.storage import tfrecord_format

_BATCH = 256


def load(config, stores=True):
    """The shards in `config.path`.

    Unlabelled training rows that would take more than `max_memory_bytes` are left in their files, to be streamed file
    by file. Images of the other training rows that would are left there too, and read one by one; their labels,
    captions and other entries are in memory. Every record is checked either way.

    Args:
        config: `tfvae.data.load.Config`; `path`, `image_size`, `max_memory_bytes`, `on_bad_record` and what it asks for
            of entries are used.
        stores: whether images of rows that are not only unlabelled may be left in their files.

    Returns:
        `Source`.

    Raises:
        ValueError: for shards that are not what their manifest says, records that are not what they must be, or held
            out rows that do not fit into memory. With the policy `quarantine`, damaged records are left out, counted
            and reported instead.
    """
    if not config.path:
        raise ValueError("The source 'shards' needs `data.path`, the folder that ingest wrote.")
    described = manifest.read(config.path)
    damaged = manifest.verify(config.path, described, config.on_bad_record)
    reader = _Reader(Path(config.path), described, damaged, config.on_bad_record, described.entries_of(config))
    limit = config.max_memory_bytes
    alone = described.of("train", batches.UNLABELLED)
    streams = described.bytes_of(alone) > limit
    # A file with a damaged record ends TensorFlow's reader, so what is left of it is kept in memory.
    streamed = [shard for shard in alone if streams and shard.name not in damaged and not reader.find_bad(shard)]
    rest = [shard for stream in described.streams for shard in described.of("train", stream) if shard not in streamed]
    validation = _held_out(reader, described, "validation", limit, stores)
    read = reader.stored if stores and described.bytes_of(rest) > limit else reader.rows
    source = Source(
        train=read(rest),
        test=_held_out(reader, described, "test", limit, stores),
        class_names=described.class_names,
        streamed=Streamed(
            tuple(str(Path(config.path) / shard.name) for shard in streamed),
            sum(shard.records for shard in streamed),
            tuple(shard.sha256 for shard in streamed),
        ),
        validation=validation if len(validation) else None,
        names=described.names,
    )
    reader.report()
    height, width, _ = described.image_shape
    if config.image_size and (height, width) != (config.image_size, config.image_size):
        logging.warning(
            "The shards hold images of %d x %d; `data.image_size`=%d is for ingest and not used.", width, height,
            config.image_size,
        )  # fmt: skip
    return source


def _held_out(reader, described, split, limit, limited):
    shards = [shard for stream in described.streams for shard in described.of(split, stream)]
    needed = described.bytes_of(shards)
    if limited and needed > limit:
        raise ValueError(
            f"The {split} images take {needed:,} bytes in memory, `data.max_memory_bytes` allows {limit:,}. Raise it, "
            f"or ingest with fewer images for the {split}."
        )
    return reader.rows(shards)


class _Reader:
    """Reads shards and keeps account of the records that are left out.

    Args:
        folder: of the shards.
        described: their `Manifest`.
        damaged, on_bad_record: as of `tfvae.data.manifest.verify`.
        read: the entries that are read, [`Entry`], images first.
    """

    def __init__(self, folder, described, damaged, on_bad_record, read):
        self.folder = folder
        self.described = described
        self.damaged = damaged
        self.on_bad_record = on_bad_record
        self.read = read
        self.left_out = {}
        self._parse = self._compiled(decode=True)
        self._check = self._compiled(decode=False)

    def _compiled(self, decode):
        parse = lambda serialised: records.parse(serialised, self.read, decode)  # noqa: E731
        return tf.function(parse, input_signature=[tf.TensorSpec([None], tf.string)])

    def rows(self, shards):
        """The good records of shards, in order, images in one copy."""
        collectors = self._collectors(self.read, shards)
        for shard in shards:
            for parsed, _, _ in self._entries(shard, self._parse):
                _add(collectors, parsed)
        return Examples(**{name: collector.column() for name, collector in collectors.items()})

    def stored(self, shards):
        """The good records of shards, in order; their images stay where they are."""
        images = [entry for entry in self.read if batches.is_image(entry.name)]
        collectors = self._collectors([entry for entry in self.read if entry not in images], shards)
        places, has = [], {image.name: [] for image in images}
        for number, shard in enumerate(shards):
            for parsed, offsets, lengths in self._entries(shard, self._check):
                _add(collectors, parsed)
                places += [(number, offset, length) for offset, length in zip(offsets, lengths, strict=True)]
                for name, there in has.items():
                    there.append(parsed.get(f"{name}/has", np.ones(len(offsets), bool)))
        shard, offset, length = (np.array(column, np.int64) for column in zip(*places, strict=True))
        files = tuple(str(self.folder / shard.name) for shard in shards)
        sha256 = tuple(shard.sha256 for shard in shards)
        columns = {name: collector.column() for name, collector in collectors.items()}
        for image in images:
            there = np.concatenate(has[image.name])
            of_image = Stored(files, sha256, shard[there], offset[there], length[there], image)
            columns[image.name] = partial(of_image, there)
        return Examples(**columns)

    def _collectors(self, read, shards):
        num = sum(shard.records for shard in shards)
        return {entry.name: entry.collector(num) for entry in read}

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

    def _entries(self, shard, parse):
        """Batches of (parsed entries, where their payloads begin, how long they are), bad records left out."""
        if shard.name in self.damaged:
            self.left_out[shard.name] = list(self.damaged[shard.name])
        for serialised, offsets in self._batches(shard):
            bad = self._bad(shard, serialised, offsets, parse)
            good = [offset not in bad for offset in offsets]
            kept = tf.boolean_mask(serialised, good)
            starts = [offset + tfrecord_format.HEADER for offset, is_good in zip(offsets, good) if is_good]
            yield _numpy(parse(kept)), starts, [len(record) for record in kept.numpy()]

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
        try:
            for serialised in tf.data.TFRecordDataset(str(path)).batch(_BATCH):
                ends = begin + np.cumsum([tfrecord_format.size(record) for record in serialised.numpy()])
                yield serialised, [begin, *ends[:-1].tolist()]
                begin = int(ends[-1])
        except tf.errors.DataLossError as error:  # The manifest was made for what is damaged.
            raise manifest.DamagedShards(f"{path} is damaged: {error.message}. Run ingest again.") from error

    def _bad(self, shard, serialised, offsets, parse):
        """The offsets of records that are not as they must be; a ValueError for the first unless they are left out."""
        required = self.described.required(shard)
        if self._all_right(serialised, required, parse):
            return set()
        found = [
            manifest.Damage(shard.name, offset, text)
            for offset, record in zip(offsets, serialised.numpy(), strict=True)
            if (text := self._problem(record, required, parse))
        ]
        if found and self.on_bad_record == "stop":
            raise manifest.DamagedShards(
                f"{self.folder}/{found[0]}. These shards were not written for this data: run ingest again, or start "
                "with --config.data.on_bad_record=quarantine to go on without such records."
            )
        self.left_out.setdefault(shard.name, []).extend(found)
        return {damage.offset for damage in found}

    def _problem(self, record, required, parse):
        text = records.problem(record, self.read, required)
        if not text and not self._all_right(tf.constant([record]), required, parse):
            return "its image cannot be decoded"
        return text

    def _all_right(self, serialised, required, parse):
        try:
            parsed = _numpy(parse(serialised))
        except (tf.errors.OpError, UnicodeDecodeError):  # The second: TensorFlow fails to quote a broken record.
            return False
        return all(entry.right(parsed, entry.name in required) for entry in self.read)


def _numpy(parsed):
    return {name: value.numpy() if isinstance(value, tf.Tensor) else value for name, value in parsed.items()}


def _add(collectors, parsed):
    for collector in collectors.values():
        collector.add(parsed)
