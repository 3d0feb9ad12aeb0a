"""Examples that a pipeline hands over -> shards with a manifest, so that a run reads what every other run reads."""

import dataclasses
import hashlib

import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import manifest
from tfvae.data.entries.label import NO_LABEL
from tfvae.storage import atomic, record_files, tfrecord_format, unfinished


def to_shards(files, folder, described):
    """Writes tf.Examples as shards that the source `shards` reads; what is already there is replaced.

    Args:
        files: "<split>-<stream>" -> paths of TFRecords, compressed with gzip where their names end with `.gz`.
        folder: of the shards, made anew.
        described: the `Manifest` of the data that the examples come from: shapes, names, and how many records there
            must be.

    Returns:
        The `Manifest` of the new shards: one for every file, so that memory holds one file at a time.

    Raises:
        ValueError: for a file that is no TFRecord file, or another number of records than there were: of a file that
            was cut, TensorFlow reads what is left and says nothing.
    """
    with unfinished.new_folder(folder) as making:
        shards = tuple(
            _shard(making.made / f"{part}-{i:05}-of-{len(paths):05}.tfrecord", path)
            for part, paths in sorted(files.items())
            for i, path in enumerate(sorted(paths))
        )
        counts = manifest.count(shards)
        if counts != described.counts:
            raise ValueError(f"The examples should be {described.counts}, there are {counts}. Run the pipeline anew.")
        made = dataclasses.replace(described, shards=shards, counts=counts, class_counts={}, rejects=(), settings={})
        atomic.write_bytes(making.made / manifest.NAME, made.to_json().encode())
    return made


def _shard(path, file):
    """The records of one file as `tfvae.data.records` writes them, in the order of their bytes' sha256.

    That is arbitrary and always the same; the order in which a distributed pipeline wrote them is neither.
    """
    compression = "GZIP" if str(file).endswith(".gz") else ""
    if not compression:
        tfrecord_format.count(file)
    try:
        found = [_plain(record.numpy()) for record in tf.data.TFRecordDataset(str(file), compression)]
    except tf.errors.DataLossError as error:
        raise ValueError(f"{file} is no TFRecord file that can be read: {error.message}.") from error
    found.sort(key=lambda record: hashlib.sha256(record).digest())
    return manifest.describe(path, record_files.write(path, found))


def _plain(record):
    """A record without features that are empty, and without the label that stands for none."""
    example = tf.train.Example.FromString(record)
    features = example.features.feature
    for name in list(features):
        kind = features[name].WhichOneof("kind")
        values = getattr(features[name], kind).value if kind else ()
        if not values or (name == batches.LABEL and list(values) == [NO_LABEL]):
            del features[name]
    return example.SerializeToString(deterministic=True)
