"""EXIF orientation inside the served graph: a camera held sideways says so in its files, where TensorFlow never looks.

Training sees photos upright by the rules of `tfvae.data.exif`, so a served model must as well: sideways ones would be
answered wrongly without a word.
"""

import tensorflow as tf

from tfvae.data import exif

_SWAPPED, _MIRRORED, _UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
_BEYOND = 16  # Zeros behind the content, so that a number may be read at any place of it.


def upright(image, jpeg):
    """The image as it is seen: axes swapped, then mirrored, then turned upside down, as its orientation wants.

    Args:
        image: [H, W, C], decoded.
        jpeg: the bytes it was decoded from; without a readable orientation the image stays as it is.

    EXIF 2.32, tag 0x0112.
    """
    orientation = _orientation(jpeg)
    for among, turned in (
        (_SWAPPED, lambda image: tf.transpose(image, [1, 0, 2])),
        (_MIRRORED, lambda image: image[:, ::-1]),
        (_UPSIDE_DOWN, lambda image: image[::-1]),
    ):
        wanted = _is_among(orientation, among)
        image = tf.cond(wanted, lambda image=image, turned=turned: turned(image), lambda image=image: image)
    return image


def _orientation(jpeg):
    """1 to 8; 1 where there is none."""
    at, length = _exif_segment(jpeg)
    found = tf.cond(at > 0, lambda: _of_tiff(tf.strings.substr(jpeg, at, length)), lambda: tf.constant(1, tf.int64))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _exif_segment(jpeg):
    """(place, length) of the TIFF content of the first EXIF segment, (0, 0) where there is none.

    Segments are walked one by one, none of them is copied: profiles and thumbnails of any size may stand before it.
    """
    size = tf.strings.length(jpeg)

    def unfinished(at, found, length):
        del length
        return (found == 0) & (at + 10 <= size)

    def next_segment(at, found, length):
        del found
        head = tf.cast(tf.io.decode_raw(tf.strings.substr(jpeg, at, 10), tf.uint8), tf.int32)
        marker, length = head[1], 256 * head[2] + head[3]
        is_exif = (marker == exif.EXIF) & tf.reduce_all(head[4:] == list(exif.HEADER))
        step = tf.where(_is_among(marker, exif.BARE_MARKERS), 2, 2 + length)
        step = tf.where(marker == exif.FILL, 1, step)  # Any number of them may stand before a marker.
        ends = (head[0] != exif.FILL) | _is_among(marker, (exif.SCAN, exif.END))
        after = tf.where(ends, size, at + step)
        is_exif &= ~ends
        return after, tf.where(is_exif, at + 10, 0), tf.where(is_exif, tf.maximum(length - 8, 0), 0)

    start = (tf.constant(2), tf.constant(0), tf.constant(0))
    _, at, length = tf.while_loop(unfinished, next_segment, start, maximum_iterations=exif.MAX_SEGMENTS)
    # A segment without content may end the file, where `substr` finds no place to begin.
    return tf.where(at < size, at, 0), length


def _of_tiff(content):
    """The orientation among the entries of the first directory, each of tag, type, count and value; 0 if none is it."""
    data = tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int64)
    size = tf.size(data, tf.int64)
    data = tf.pad(data, [[0, _BEYOND]])
    little = tf.reduce_all(data[:4] == list(exif.LITTLE_ENDIAN))
    known = little | tf.reduce_all(data[:4] == list(exif.BIG_ENDIAN))
    directory = _number(data, tf.constant(4, tf.int64), 4, little)
    num = tf.minimum(_number(data, directory, 2, little), exif.MAX_ENTRIES)
    entry = directory + 2 + 12 * tf.range(num)
    kind = _number(data, entry + 2, 2, little)
    is_it = (_number(data, entry, 2, little) == exif.ORIENTATION) & (_number(data, entry + 4, 4, little) == 1)
    is_it &= known & (entry + 12 <= size) & tf.reduce_any(kind[:, None] == list(exif.NUM_BYTES), axis=1)
    value = tf.zeros_like(entry)
    for of, num_bytes in exif.NUM_BYTES.items():
        value = tf.where(kind == of, _number(data, entry + 8, num_bytes, little), value)
    last = tf.reduce_max(tf.concat([[-1], tf.where(is_it, tf.range(num), -1)], axis=0))
    return tf.concat([value, [0]], axis=0)[last]


def _is_among(number, values):
    return tf.reduce_any(number == tf.constant(values, number.dtype))


def _number(data, at, num_bytes, little):
    """Unsigned integers at some places [...]; beyond the end there are zeros."""
    index = tf.expand_dims(at, -1) + tf.range(num_bytes, dtype=tf.int64)
    digits = tf.gather(data, tf.minimum(index, tf.size(data, tf.int64) - 1))
    place = tf.range(num_bytes, dtype=tf.int64)
    place = tf.where(little, place, num_bytes - 1 - place)
    return tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * place), axis=-1)
