"""tf.Example <-> entries, written once: how a row lies in a shard.

An image is stored as raw bytes up to `RAW_BYTES` (no decoding: 2.5 times the batches a second), as PNG above it. Which
one is a function of the image's shape, so a reader needs no more than that.
"""

import errno
import math
import os
import struct
import uuid
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tfvae import batch as batches
from tfvae.data import images, tfrecord_format
from tfvae.data.rows import NO_LABEL
from tfvae.probability import noise

SHAPE = "shape"
CAPTION = "caption"
TAG = "tag"
PAIR = "pair"
FILE_NAME = "file_name"

RAW_BYTES = 64 * 64 * 3

_BLOCK_BYTES = 64 << 20
_BLOCK_RECORDS = 8192
_EPOCHS = 1 << 30
_SCALAR = {
    batches.IMAGE: tf.io.FixedLenFeature([], tf.string),
    SHAPE: tf.io.FixedLenFeature([3], tf.int64),
    batches.LABEL: tf.io.FixedLenFeature([], tf.int64, default_value=NO_LABEL),
}


def storage(image_shape):
    """`raw` or `png`: how images of this shape are stored."""
    return "raw" if math.prod(image_shape) <= RAW_BYTES else "png"


def serialise(image, label=None, *, captions=(), tags=(), pair=None, file_name=None):
    """One row as a serialised tf.Example; equal rows give equal bytes.

    Args:
        image: uint8 [H, W, C], C of 1 or 3.
        label: its class, None or `NO_LABEL` for a bare image.
        captions, tags: of the image, any number.
        pair: what the user named as its other half.
        file_name: where it came from.

    Returns:
        bytes.
    """
    content = np.ascontiguousarray(image, np.uint8)
    encoded = content.tobytes() if storage(content.shape) == "raw" else images.encode_png(content)
    features = {batches.IMAGE: _bytes([encoded]), SHAPE: _integers(content.shape)}
    if label is not None and label != NO_LABEL:
        features[batches.LABEL] = _integers([label])
    texts = {CAPTION: captions, TAG: tags, PAIR: [pair] if pair else [], FILE_NAME: [file_name] if file_name else []}
    features.update({name: _bytes([text.encode() for text in values]) for name, values in texts.items() if values})
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def parse(serialised, image_shape):
    """Rows of serialised records, a whole batch at a time.

    Args:
        serialised: string [B].
        image_shape: (H, W, C) of every one of them.

    Returns:
        {"image": uint8 [B, H, W, C], "label": int64 [B], `NO_LABEL` where there is none}.

    Raises:
        tf.errors.InvalidArgumentError: for a record that is none of ours; `problem` says what is wrong with it.
    """
    content, label = _checked(serialised, image_shape)
    decode = _decode_raws if storage(image_shape) == "raw" else _decode_pngs
    return {batches.IMAGE: decode(content, image_shape), batches.LABEL: label}


def check(serialised, image_shape):
    """What `parse` does but for decoding the images: {"label": int64 [B]}, and the same errors."""
    return {batches.LABEL: _checked(serialised, image_shape)[1]}


def captions(serialised):
    """The captions of serialised records [B]: a ragged string tensor [B, (captions)]."""
    return tf.io.parse_example(serialised, {CAPTION: tf.io.RaggedFeature(tf.string)})[CAPTION]


def problem(record, image_shape, num_classes, labelled):
    """What is wrong with one serialised record; an empty string if nothing is.

    Args:
        record: bytes.
        image_shape: what its image must have.
        num_classes: labels run from 0 to `num_classes` - 1.
        labelled: whether it must have a label, or must have none.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return "it is no tf.Example"
    image, shape, label = (features.get(name) for name in (batches.IMAGE, SHAPE, batches.LABEL))
    if image is None:
        return f"the feature `{batches.IMAGE}` is missing"
    if len(image.bytes_list.value) != 1:
        return f"`{batches.IMAGE}` must be one string of bytes"
    if shape is None or tuple(shape.int64_list.value) != tuple(image_shape):
        found = "missing" if shape is None else f"{list(shape.int64_list.value)}"
        return f"`{SHAPE}` must be {list(image_shape)}, it is {found}"
    return _image_problem(image.bytes_list.value[0], image_shape) or _label_problem(label, num_classes, labelled)


def stream(files, image_shape, batch_size, seed, start_step=0, num_records=0):
    """Images of shards that are read again and again, an epoch in another order than the one before.

    Files are interleaved in an order drawn anew for each epoch, and shuffled within blocks of up to 8,192 records or
    64 MB. Step t's batch is a function of (seed, t): a stream that starts at a step goes on as one that ran to it.

    Args:
        files: TFRecord files.
        image_shape: (H, W, C).
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
    block = max(min(_BLOCK_RECORDS, _BLOCK_BYTES // math.prod(image_shape)), 1)
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
        image = parse(serialised, image_shape)[batches.IMAGE]
        return tf.ensure_shape(image, [batch_size, *image_shape])

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


def write(path, serialised):
    """Writes records to a file that appears when it is whole and on the disk.

    Args:
        path: of the file.
        serialised: the records, any iterable.

    Returns:
        How many they were.

    Raises:
        OSError: where they cannot be written; TensorFlow's writer has errors of its own, and none for a full disk.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    num, size = 0, 0
    try:
        with tf.io.TFRecordWriter(str(beside)) as writer:
            for record in serialised:
                writer.write(record)
                num, size = num + 1, size + tfrecord_format.size(record)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
            written = os.fstat(file.fileno()).st_size
        if written != size:
            raise OSError(errno.ENOSPC, f"{written} of {size} bytes were written", str(path))
        beside.rename(path)
    except tf.errors.OpError as error:
        known = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES)
        number = next((number for number in known if os.strerror(number) in str(error)), errno.EIO)
        raise OSError(number, os.strerror(number) if number != errno.EIO else str(error), str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
    return num


def _checked(serialised, image_shape):
    """(encoded images [B], labels [B]), once shapes and sizes are right; PNGs are judged by their header."""
    height, width, _ = image_shape
    entries = tf.io.parse_example(serialised, _SCALAR)
    content = entries[batches.IMAGE]
    checks = [tf.debugging.assert_equal(entries[SHAPE], tf.constant(image_shape, tf.int64, [1, 3]))]
    if storage(image_shape) == "raw":
        checks.append(tf.debugging.assert_equal(tf.strings.length(content), math.prod(image_shape)))
    else:
        checks.append(tf.debugging.assert_equal(tf.strings.substr(content, 16, 8), [_png_size(width, height)]))
    # In eager mode a check has been made when it returns, and returns nothing.
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(content), tf.identity(entries[batches.LABEL])


def _decode_raws(content, image_shape):
    return tf.reshape(tf.io.decode_raw(content, tf.uint8), [-1, *image_shape])


def _decode_pngs(content, image_shape):
    return tf.map_fn(
        lambda png: tf.ensure_shape(tf.io.decode_png(png, image_shape[-1]), image_shape),
        content,
        fn_output_signature=tf.TensorSpec(image_shape, tf.uint8),
    )


def _png_size(width, height):
    """How a PNG states its size, in bytes 16 to 23."""
    return struct.pack(">II", width, height)


def _image_problem(content, image_shape):
    if storage(image_shape) == "raw":
        if len(content) != math.prod(image_shape):
            return f"its image has {len(content)} bytes, {math.prod(image_shape)} are right for {list(image_shape)}"
    elif content[:8] != b"\x89PNG\r\n\x1a\n":
        return "its image is no PNG"
    elif content[16:24] != _png_size(width=image_shape[1], height=image_shape[0]):
        return f"its PNG has another size than {list(image_shape)}"
    return ""


def _label_problem(label, num_classes, labelled):
    if not labelled:
        return "" if label is None else f"it has a `{batches.LABEL}`, but stands in a shard of unlabelled records"
    if label is None:
        return f"the feature `{batches.LABEL}` is missing"
    if len(label.int64_list.value) != 1:
        return f"`{batches.LABEL}` must be one integer"
    value = label.int64_list.value[0]
    return "" if 0 <= value < num_classes else f"its label {value} is out of range, there are {num_classes} classes"


def _bytes(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _integers(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value) for value in values]))
