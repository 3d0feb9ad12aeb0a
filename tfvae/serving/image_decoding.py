"""Encoded images -> gray levels, inside the served graph.

A row that cannot be decoded fails the whole batch, as every error in a served graph does, and the error names the row;
or every row is answered with what is wrong with it.
"""

import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.data.entries.image import Image
from tfvae.serving import checks, orientation

MAX_PIXELS = 25_000_000  # Less than ingest takes: a server decodes for strangers, several at a time.
_UNREADABLE = "no readable PNG or JPEG image"
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
# ITU-R 601 in Pillow's whole numbers; TensorFlow's own PNG decoder swaps green and blue.
_LUMA = (19595, 38470, 7471)
_GRAY, _PALETTE = 0, 3  # Colour types of a PNG.


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
    decoded = _by_row(lambda row: _image(row, shape, max_pixels), rows, shape, max_pixels)
    return _whole(decoded, max_pixels)


def decode_each(
    rows: tf.Tensor, shape: tuple[int, int, int], max_pixels: int = MAX_PIXELS
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `decode_images`, but a bad row harms no other.

    Returns:
        (float32 [B, H, W, C], black where there is no image; [B] strings: what is wrong with a row, "" where nothing
        is).
    """
    image, readable, too_large = _by_row(lambda row: _image(row, shape, max_pixels), rows, shape, max_pixels)
    fault = tf.where(readable, "", _UNREADABLE)
    return image, tf.where(too_large, _too_large(max_pixels), fault)


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

    return _whole(_by_row(image_of, rows, shape, max_pixels), max_pixels)


def _whole(decoded, max_pixels):
    """The images of `_by_row`, once every row holds one."""
    image, readable, too_large = decoded
    faults = [checks.none(f"hold {_UNREADABLE}", ~readable), checks.none(f"hold {_too_large(max_pixels)}", too_large)]
    return checks.after(faults, [image])[0]


def _too_large(max_pixels):
    return f"an image of more than {max_pixels} pixels"


def _by_row(image_of, rows, shape, max_pixels):
    """Maps `image_of`, row -> (number of pixels, image [H, W, C]), over rows.

    Returns:
        (float32 [B, H, W, C], black where a row has no image; bool [B], whether it can be read; bool [B], whether it
        has too many pixels).
    """
    num_rows = tf.size(rows, out_type=tf.int64)
    # An op that fails in a `map_fn` cannot say on which row. A data set can drop the row, and the gap is the name; the
    # last element keeps it from being empty, and is cut off again.
    decoded = tf.data.Dataset.from_tensor_slices((tf.range(num_rows), rows))
    decoded = decoded.map(lambda index, row: (index, *image_of(row))).ignore_errors()
    last = tf.data.Dataset.from_tensors((num_rows, tf.constant(0, tf.int64), tf.zeros(shape)))
    index, num_pixels, image = decoded.concatenate(last).batch(num_rows + 1).get_single_element()
    place = index[:-1, None]
    readable = tf.scatter_nd(place, tf.ones_like(index[:-1], tf.bool), [num_rows])
    too_large = tf.scatter_nd(place, num_pixels[:-1] > max_pixels, [num_rows])
    image = tf.scatter_nd(place, image[:-1], tf.stack([num_rows, *shape]))
    return tf.ensure_shape(image, [None, *shape]), readable, too_large


def _image(image_bytes, shape, max_pixels):
    """(number of pixels, image [H, W, C]); one with too many pixels is not decoded."""
    num_pixels = _num_pixels(image_bytes)
    image = tf.cond(num_pixels <= max_pixels, lambda: _sized(image_bytes, shape), lambda: tf.zeros(shape, tf.float32))
    return num_pixels, image


def _raw(content, stated_shape, shape):
    """An image of raw gray levels, [H, W, C]."""
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(stated_shape == shape), ["another shape"])]):
        return tf.cast(tf.reshape(tf.io.decode_raw(content, tf.uint8), shape), tf.float32)


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

    Transparent pixels lie on white; a part around the centre, as large as may be, is resized with Lanczos' kernel.

    Returns:
        float32 [H, W, C], whole gray levels.
    """
    image = tf.cond(_starts_with(image_bytes, PNG), lambda: _opaque_png(image_bytes), lambda: _rgb_jpeg(image_bytes))
    if shape[-1] == 1:
        image = _gray(image)
    return tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], shape[:2])),
        lambda: tf.ensure_shape(tf.cast(image, tf.float32), shape),
        lambda: _centre(image, shape),
    )


def _opaque_png(image_bytes):
    """uint8 [H, W, 3], transparent pixels on white, by Pillow's arithmetic in whole numbers."""
    rgba = _rgba_png(image_bytes)
    rgb, alpha = rgba[..., :3], rgba[..., 3:]

    def on_white():
        level, opacity = tf.cast(rgb, tf.int32), tf.cast(alpha, tf.int32)
        # Division by 255 with 7 more bits, rounded.
        sum_of_both = 128 * (level * opacity + 255 * (255 - opacity) + 128)
        return tf.cast((sum_of_both // 256 + sum_of_both) // (256 * 128), tf.uint8)

    return tf.cond(tf.reduce_all(tf.equal(alpha, 255)), lambda: rgb, on_white)


def _rgba_png(image_bytes):
    """uint8 [H, W, 4].

    TensorFlow's decoder makes up an opacity of 2^depth - 1 where the file has none, and stretches levels, but not
    that: at a depth of 1, 2 or 4 bits an opaque image would be nearly clear.
    """
    depth, colour = tf.unstack(tf.io.decode_raw(tf.strings.substr(image_bytes, 24, 2), tf.uint8, fixed_length=2)[:2])
    decoded = lambda channels: tf.ensure_shape(  # noqa: E731
        tf.io.decode_png(image_bytes, channels=channels), [None, None, channels or None]
    )

    def palette():
        image = decoded(0)  # 3 channels, or 4 where the palette has opacities.
        return tf.pad(image, [[0, 0], [0, 0], [0, 4 - tf.shape(image)[-1]]], constant_values=255)

    def few_levels():
        image = decoded(4)
        # With a transparent level there are opacities of 0 and 255.
        return tf.concat([image[..., :3], tf.where(image[..., 3:] > 0, tf.constant(255, tf.uint8), 0)], axis=-1)

    image = tf.cond((colour == _GRAY) & (depth < 8), few_levels, lambda: decoded(4))
    return tf.ensure_shape(tf.cond(colour == _PALETTE, palette, lambda: image), [None, None, 4])


def _rgb_jpeg(image_bytes):
    image = tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(orientation.upright(image, image_bytes), [None, None, 3])


def _gray(image):
    """uint8 [H, W, 3] -> uint8 [H, W, 1]."""
    # Three slices and two sums: a reduction over an axis of three is ten times slower.
    red, green, blue = (tf.cast(image[..., k : k + 1], tf.int32) * weight for k, weight in enumerate(_LUMA))
    return tf.cast((red + green + blue + sum(_LUMA) // 2) // sum(_LUMA), tf.uint8)


def _centre(image, shape):
    """The largest part around the centre with the proportions of `shape`, resized: float32, whole gray levels.

    Rows first, then columns, rounded between, as Pillow does it; the part may begin between two pixels.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = tf.reduce_max(tf.constant(shape[:2], tf.float32) / size)
    begins = (size - tf.constant(shape[:2], tf.float32) / scale) / 2.0
    (height, width), (top, left), channels = shape[:2], tf.unstack(begins), shape[-1]
    image = _first_axis_resized(tf.transpose(image, [1, 0, 2]), width, scale, left, [-1, channels])
    return _first_axis_resized(tf.transpose(image, [1, 0, 2]), height, scale, top, [width, channels])


def _first_axis_resized(image, size, scale, begin, rest):
    """[L, M, C] -> [size, M, C] = [size, *rest].

    What lies beside a line are channels of one column: the other axis costs nothing, and the op adds up whole lines.
    """
    lines = tf.shape(image)[0]
    resized = tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(image, [1, lines, 1, -1]), size=[size, 1], scale=[scale, 1.0],
        translation=[-begin * scale, 0.0], kernel_type="lanczos3", antialias=True,
    )  # fmt: skip
    return tf.reshape(tf.clip_by_value(tf.round(resized), 0.0, 255.0), [size, *rest])


def _starts_with(image_bytes, signature):
    return tf.equal(tf.strings.substr(image_bytes, 0, len(signature)), signature)
