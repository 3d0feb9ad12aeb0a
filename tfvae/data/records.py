"""tf.Example <-> entries, written once: how an example lies in a shard. Each kind of entry owns its features."""

import math

import tensorflow as tf
from google.protobuf.message import DecodeError

from tfvae import batch as batches
from tfvae.data import entries
from tfvae.data.entry import strings
from tfvae.probability import noise
from tfvae.storage import tfrecord_format

FILE_NAME = "file_name"

_BLOCK_BYTES = 64 << 20
_BLOCK_RECORDS = 8192
_EPOCHS = 1 << 30


def serialise(image=None, label=None, *, file_name=None, **values):
    """One example as a serialised tf.Example; equal ones give equal bytes.

    Args:
        image: uint8 [H, W, C], C of 1 or 3; None for an example of other modalities.
        label: its class, None or `NO_LABEL` for an unlabelled one.
        file_name: where it came from.
        values: of further entries, such as `caption=("a dog", "a small dog")` or `image_b`.

    Returns:
        bytes.
    """
    known = {batches.IMAGE: image, batches.LABEL: label, **values}
    features = {FILE_NAME: strings([file_name])} if file_name else {}
    for name, value in known.items():
        if value is not None:
            features |= entries.named(name).features(value)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def parse(serialised, read, decode=True):
    """Examples of serialised records, a whole batch at a time.

    Args:
        serialised: string [B].
        read: the entries that are asked for, [`tfvae.data.entry.Entry`]; images with their shapes.
        decode: whether images are decoded; otherwise they are only checked.

    Returns:
        {"image": uint8 [B, H, W, C], "label": int64 [B], ...}, as the entries parse them.

    Raises:
        tf.errors.InvalidArgumentError: for a record that is none of ours; `problem` says what is wrong with it.
    """
    features = tf.io.parse_example(serialised, spec(read))
    parsed = {}
    for entry in read:
        parsed |= entry.parse(features, decode)
    return parsed


def spec(read):
    """What `tf.io.parse_example` needs to know of the features of these entries."""
    return {feature: form for entry in read for feature, form in entry.spec().items()}


def problem(record, read, required):
    """What is wrong with one serialised record; an empty string if nothing is.

    Args:
        record: bytes.
        read: [`Entry`], images with their shapes, labels with the number of classes.
        required: names of the entries that it must have.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return "it is no tf.Example"
    problems = (entry.problem(features, entry.name in required) for entry in read)
    return next((problem for problem in problems if problem), "")


def stream(files, image, batch_size, seed, start_step=0, num_records=0):
    """Images of shards that are read again and again, an epoch in another order than the one before.

    Files are interleaved in an order drawn anew for each epoch, and shuffled within blocks of up to 8,192 records or
    64 MB. Step t's batch is a function of (seed, t): a stream that starts at a step goes on as one that ran to it.

    Args:
        files: TFRecord files.
        image: the entry that is read, `tfvae.data.entries.image.Image` with its shape.
        batch_size: rows of every batch, also across the end of an epoch.
        seed: of the order.
        start_step: batches to pass over; whole epochs are not read for it, and nothing is decoded.
        num_records: in all files; 0 to count them.

    Returns:
        An infinite tf.data.Dataset of uint8 [batch_size, H, W, C].

    Raises:
        ValueError: if there is no record.
    """
    files = [str(file) for file in files]
    num_records = num_records or sum(tfrecord_format.count(file) for file in files)
    if not num_records:
        raise ValueError(f"The shards {files} hold no record to stream; run ingest again.")
    block = max(min(_BLOCK_RECORDS, _BLOCK_BYTES // math.prod(image.shape)), 1)
    first_epoch, first_record = divmod(start_step * batch_size, num_records)
    root = noise.seed(seed)

    def epoch(number):
        key = noise.fold_in(root, number)
        passed = tf.where(number == first_epoch, tf.constant(first_record, tf.int64), tf.constant(0, tf.int64))
        blocks = _interleaved(files, key).batch(block).enumerate().skip(passed // block)

        def shuffled(index, records):
            order = tf.random.experimental.stateless_shuffle(
                tf.range(tf.size(records)), noise.fold_in(key, index + 1), alg="philox"
            )
            rest = tf.where(index == passed // block, passed % block, tf.constant(0, tf.int64))
            return tf.gather(records, order[rest:])

        return blocks.map(shuffled)

    records = tf.data.Dataset.range(first_epoch, _EPOCHS).flat_map(epoch).rebatch(batch_size)

    def decoded(serialised):
        return tf.ensure_shape(parse(serialised, [image])[image.name], [batch_size, *image.shape])

    return records.map(decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _interleaved(files, key):
    """The serialised records of all files, one of each in turn, the files in an order of this key."""
    order = tf.random.experimental.stateless_shuffle(tf.range(len(files)), key, alg="philox")
    return tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(files), order)).interleave(
        lambda file: tf.data.TFRecordDataset(file, buffer_size=1 << 20),
        cycle_length=min(len(files), 16),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def file_names(serialised):
    """The names of the files that records [N] were made of, "" where nobody wrote one down."""
    feature = tf.io.FixedLenFeature([], tf.string, default_value="")
    parsed = tf.io.parse_example(serialised, {FILE_NAME: feature})
    return [name.decode(errors="replace") for name in parsed[FILE_NAME].numpy()]
