"""An image of an example, of which it may have several: gray levels in memory and in records, observations in a batch.

A record holds raw bytes up to `RAW_BYTES` (no decoding: 2.5 times the batches a second), PNG above it. Which one is a
function of the image's shape, so a reader needs no more than that.
"""

import functools
import math
import struct

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import images
from tfvae.data.columns import Partial, Stored, partial
from tfvae.data.entry import Collector, Entry, integers, strings

RAW_BYTES = 64 * 64 * 3


class Image(Entry):
    """uint8 [N, H, W, C] in memory; of examples that are no images float32 [N, D].

    Args:
        name: `image`, or `image_<name>` for a further modality.
        shape: (H, W, C) of every one of them; None where nothing is read.
        optional: whether records may lack it.
    """

    always = True

    def __init__(self, name=batches.IMAGE, shape=None, optional=False):
        self.name = name
        self.shape = None if shape is None else tuple(shape)
        self.optional = optional

    def called(self, name):
        """An entry for a further modality.

        Raises:
            ValueError: for a name that a served argument or a feature of its own has.
        """
        if name.endswith("_bytes"):
            raise ValueError(
                f"A modality cannot be called {name!r}: that is how encoded images are called when served."
            )
        return Image(name)

    @property
    def shape_feature(self):
        """The feature that states the shape."""
        return "shape" if self.name == batches.IMAGE else f"{self.name}/shape"

    @property
    def storage(self):
        """`raw` or `png`."""
        return storage(self.shape)

    # Memory.

    def stack(self, values):
        has = [value is not None for value in values]
        return partial(np.array([value for value in values if value is not None]), has)

    def has(self, column):
        return column.has if isinstance(column, Partial) else np.ones(len(column), bool)

    def concatenate(self, columns):
        if any(isinstance(column, Partial) for column in columns):
            has = np.concatenate([self.has(column) for column in columns])
            some = [column.some if isinstance(column, Partial) else column for column in columns]
            return partial(self.concatenate([column for column in some if len(column)] or some[:1]), has)
        if len(columns) == 1:
            return columns[0]
        return np.concatenate([np.asarray(column) for column in columns])

    def missing(self, num, like):
        some = like.some if isinstance(like, Partial) else like
        return Partial(some[:0], np.full(num, -1))

    def digest(self, column):
        if isinstance(column, Partial):
            yield column.has.tobytes()
            yield from self.digest(column.some)
        elif isinstance(column, Stored):
            yield f"{self.name} {column.shape} {column.sha256}".encode()
            yield from (np.ascontiguousarray(array) for array in (column.shard, column.offset))
        else:
            yield from super().digest(column)

    # Records.

    def features(self, value):
        content = np.ascontiguousarray(value, np.uint8)
        encoded = content.tobytes() if storage(content.shape) == "raw" else images.encode_png(content)
        return {self.feature: strings([encoded]), self.shape_feature: integers(content.shape)}

    def spec(self):
        if not self.optional:
            return {
                self.feature: tf.io.FixedLenFeature([], tf.string),
                self.shape_feature: tf.io.FixedLenFeature([3], tf.int64),
            }
        return {
            self.feature: tf.io.FixedLenFeature([], tf.string, default_value=""),
            self.shape_feature: tf.io.FixedLenFeature([3], tf.int64, default_value=self.shape),
        }

    def parse(self, features, decode=True):
        """{name: uint8 [B, H, W, C]}, and of optional ones {"<name>/has": bool [B]}; blank where a record has none.

        Raises:
            tf.errors.InvalidArgumentError: for an image of another shape.
        """
        content, height, width = features[self.feature], *self.shape[:2]
        has = {}
        if self.optional:
            has = {f"{self.name}/has": tf.strings.length(content) > 0}
            content = tf.where(has[f"{self.name}/has"], content, self._blank)
        checks = [tf.debugging.assert_equal(features[self.shape_feature], tf.constant(self.shape, tf.int64, [1, 3]))]
        if self.storage == "raw":
            checks.append(tf.debugging.assert_equal(tf.strings.length(content), math.prod(self.shape)))
        else:
            checks.append(tf.debugging.assert_equal(tf.strings.substr(content, 16, 8), [_png_size(width, height)]))
        # In eager mode a check has been made when it returns, and returns nothing.
        with tf.control_dependencies([check for check in checks if check is not None]):
            content = tf.identity(content)
        return has | ({self.name: self._decode(content)} if decode else {})

    def decoded(self, records):
        """uint8 [B, H, W, C] of serialised records."""
        return self.parse(tf.io.parse_example(tf.constant(records, tf.string), self.spec()))[self.name].numpy()

    def right(self, parsed, required):
        return not (required and self.optional) or bool(np.all(parsed[f"{self.name}/has"]))

    def problem(self, features, required):
        image, shape = features.get(self.feature), features.get(self.shape_feature)
        if image is None:
            return f"the feature `{self.feature}` is missing" if required else ""
        if len(image.bytes_list.value) != 1:
            return f"`{self.feature}` must be one string of bytes"
        if shape is None or tuple(shape.int64_list.value) != self.shape:
            found = "missing" if shape is None else f"{list(shape.int64_list.value)}"
            return f"`{self.shape_feature}` must be {list(self.shape)}, it is {found}"
        return self._content_problem(image.bytes_list.value[0])

    def collector(self, num):
        return _Images(self, num)

    def joined(self, parts):
        return np.concatenate(parts)

    # Batches.

    def source(self, column):
        if not isinstance(column, Stored):
            return super().source(column)
        shape = self.shape or column.image.shape
        reader = column.image

        def gather(indices):
            payloads = tf.numpy_function(lambda i: np.array(column.payloads(i), object), [indices], tf.string)
            features = tf.io.parse_example(tf.ensure_shape(payloads, indices.shape), reader.spec())
            return tf.ensure_shape(reader.parse(features)[reader.name], [*indices.shape, *shape])

        return gather

    def _decode(self, content):
        if self.storage == "raw":
            return tf.reshape(tf.io.decode_raw(content, tf.uint8), [-1, *self.shape])
        return tf.map_fn(
            lambda png: tf.ensure_shape(tf.io.decode_png(png, self.shape[-1]), self.shape),
            content,
            fn_output_signature=tf.TensorSpec(self.shape, tf.uint8),
        )

    @functools.cached_property
    def _blank(self):
        return self.features(np.zeros(self.shape, np.uint8))[self.feature].bytes_list.value[0]

    def _content_problem(self, content):
        if self.storage == "raw":
            if len(content) != math.prod(self.shape):
                return f"its image has {len(content)} bytes, {math.prod(self.shape)} are right for {list(self.shape)}"
        elif content[:8] != b"\x89PNG\r\n\x1a\n":
            return "its image is no PNG"
        elif content[16:24] != _png_size(width=self.shape[1], height=self.shape[0]):
            return f"its PNG has another size than {list(self.shape)}"
        return ""


class _Images(Collector):
    """Images in one copy."""

    def __init__(self, entry, num):
        super().__init__(entry)
        self.image, self.end, self.has = np.empty((num, *entry.shape), np.uint8), 0, [np.array([], bool)]

    def add(self, parsed):
        image = parsed[self.entry.name]
        there = parsed.get(f"{self.entry.name}/has", np.ones(len(image), bool))
        some = image if there.all() else image[there]
        self.image[self.end : self.end + len(some)] = some
        self.end += len(some)
        self.has.append(there)

    def column(self):
        return partial(self.image[: self.end], np.concatenate(self.has))


def storage(image_shape):
    """`raw` or `png`: how images of this shape are stored."""
    return "raw" if math.prod(image_shape) <= RAW_BYTES else "png"


def _png_size(width, height):
    """How a PNG states its size, in bytes 16 to 23."""
    return struct.pack(">II", width, height)


ENTRY = Image()
