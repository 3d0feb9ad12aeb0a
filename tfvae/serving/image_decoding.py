"""Encoded images -> gray levels, inside the served graph.

A row that cannot be decoded fails the whole batch, as every error in a served graph does; the error names the row.
"""

import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.data.entries.image import Image
from tfvae.serving import orientation

MAX_PIXELS = 25_000_000  # Less than ingest takes: a server decodes for strangers, several at a time.
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow; TensorFlow's own PNG decoder swaps green and blue.


def decode_images(rows, shape, max_pixels=MAX_PIXELS):
    """Decodes PNG or JPEG images, and resizes those of another size.

    The number of pixels is read from the header, so a small file of a huge image is refused before it is decoded.

    Args:
        rows: [B] strings.
        shape: (H, W, C) of the answer; C is 1 or 3.
        max_pixels: the largest height times width of an image.

    Returns:
        float32 [B, H, W, C], gray levels 0..255.

    Raises:
        tf.errors.InvalidArgumentError: names the rows that hold no readable PNG or JPEG, or one with too many pixels.
    """
    return _by_row(lambda row: _image(row, shape, max_pixels), rows, shape, max_pixels)


def decode_examples(rows, shape, max_pixels=MAX_PIXELS):
    """As `decode_images`, of serialised tf.Examples with the feature `image`.

    It holds a PNG or JPEG, or what `tfvae.data.records` writes into shards: beside the feature `shape`, small images
    are raw gray levels.
    """
    stored = Image(shape=shape)
    features = {stored.feature: tf.io.FixedLenFeature([], tf.string)}
    if stored.storage == "raw":
        features[stored.shape_feature] = tf.io.FixedLenFeature([len(shape)], tf.int64, default_value=[0] * len(shape))

    def image_of(row):
        entries = tf.io.parse_single_example(row, features)
        encoded = lambda: _image(entries[IMAGE], shape, max_pixels)  # noqa: E731
        if stored.shape_feature not in features:
            return encoded()
        return tf.cond(
            tf.reduce_any(entries[stored.shape_feature] > 0),
            lambda: (tf.constant(0, tf.int64), _raw(entries[IMAGE], entries[stored.shape_feature], shape)),
            encoded,
        )

    return _by_row(image_of, rows, shape, max_pixels)


def _by_row(image_of, rows, shape, max_pixels):
    """Maps `image_of`, row -> (number of pixels, image [H, W, C]), over rows; errors name the row."""
    num_rows = tf.size(rows, out_type=tf.int64)
    # An op that fails in a `map_fn` cannot say on which row. A data set can drop the row, and the gap is the name; the
    # last element keeps it from being empty, and is cut off again.
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(num_rows), rows))
    decoded = decoded.map(lambda index, row: (index, *image_of(row))).ignore_errors()
    last = tf.data.Dataset.from_tensors((num_rows, tf.constant(0, tf.int64), tf.zeros(shape)))
    index, num_pixels, image = decoded.concatenate(last).batch(num_rows + 1).get_single_element()
    index, num_pixels, image = index[:-1], num_pixels[:-1], image[:-1]
    unreadable = tf.sparse.to_dense(tf.sets.difference(tf.range(num_rows)[None], index[None]))[0]
    too_large = tf.boolean_mask(index, num_pixels > max_pixels)
    checks = [
        _none("hold no readable PNG or JPEG image", unreadable),
        _none(f"hold an image of more than {max_pixels} pixels", too_large),
    ]
    # In eager mode a check has been made when it returns, and returns nothing.
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.ensure_shape(tf.identity(image), [None, *shape])


def _image(image_bytes, shape, max_pixels):
    """(number of pixels, image [H, W, C]); one with too many pixels is not decoded."""
    num_pixels = _num_pixels(image_bytes)
    image = tf.cond(num_pixels <= max_pixels, lambda: _sized(image_bytes, shape), lambda: tf.zeros(shape, tf.float32))
    return num_pixels, image


def _raw(content, stated_shape, shape):
    """An image of raw gray levels, [H, W, C]."""
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(stated_shape == shape), ["another shape"])]):
        return tf.cast(tf.reshape(tf.io.decode_raw(content, tf.uint8), shape), tf.float32)


def _none(fault, rows):
    return tf.debugging.Assert(tf.equal(tf.size(rows), 0), [f"These rows of the batch {fault}:", rows], summarize=16)


def _num_pixels(image_bytes):
    """Height times width from the header; an error for anything that is neither PNG nor JPEG."""
    is_png, is_jpeg = _starts_with(image_bytes, PNG), _starts_with(image_bytes, JPEG)
    known = tf.debugging.Assert(is_png | is_jpeg, ["neither PNG nor JPEG"])
    with tf.control_dependencies([known]):
        return tf.cond(is_png, lambda: _png_pixels(image_bytes), lambda: _jpeg_pixels(image_bytes))


def _png_pixels(image_bytes):
    """Of the IHDR chunk, always the first: 8 bytes signature, 4 length, 4 name, then width and height, big-endian."""
    sides = tf.io.decode_raw(tf.strings.substr(image_bytes, 16, 8), tf.int32, little_endian=False)
    return tf.reduce_prod(tf.cast(tf.bitcast(sides, tf.uint32), tf.int64))


def _jpeg_pixels(image_bytes):
    """Of the start-of-frame marker."""
    return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(image_bytes)[:2], tf.int64))


def _sized(image_bytes, shape):
    """One image as `tfvae.data.images.read` reads it for training.

    Transparent pixels lie on white; the centre of the wanted proportions is cut out and resized with Lanczos' kernel.

    Returns:
        float32 [H, W, C], whole gray levels.
    """
    image = tf.cond(_starts_with(image_bytes, PNG), lambda: _opaque_png(image_bytes), lambda: _rgb_jpeg(image_bytes))
    image = tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], shape[:2])),
        lambda: tf.ensure_shape(tf.cast(image, tf.float32), [*shape[:2], 3]),
        lambda: tf.image.resize(_centre(image, shape), shape[:2], method="lanczos3", antialias=True),
    )
    if shape[-1] == 1:
        image = tf.reduce_sum(image * _LUMA, axis=-1, keepdims=True)
    return tf.clip_by_value(tf.round(image), 0.0, 255.0)


def _opaque_png(image_bytes):
    rgba = tf.ensure_shape(tf.io.decode_png(image_bytes, channels=4), [None, None, 4])
    rgb, alpha = rgba[..., :3], rgba[..., 3:]

    def on_white():
        opacity = tf.cast(alpha, tf.float32) / 255.0
        return tf.cast(tf.round(opacity * tf.cast(rgb, tf.float32) + 255.0 * (1.0 - opacity)), tf.uint8)

    return tf.cond(tf.reduce_all(tf.equal(alpha, 255)), lambda: rgb, on_white)


def _rgb_jpeg(image_bytes):
    image = tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(orientation.upright(image, image_bytes), [None, None, 3])


def _centre(image, shape):
    """The largest part around the centre with the proportions of `shape`."""
    size = tf.shape(image)[:2]
    scale = tf.reduce_min(tf.cast(size, tf.float32) / [float(n) for n in shape[:2]])
    part = tf.clip_by_value(tf.cast(tf.round(scale * [float(n) for n in shape[:2]]), tf.int32), 1, size)
    offset = (size - part) // 2
    return tf.image.crop_to_bounding_box(image, offset[0], offset[1], part[0], part[1])


def _starts_with(image_bytes, signature):
    return tf.equal(tf.strings.substr(image_bytes, 0, len(signature)), signature)
