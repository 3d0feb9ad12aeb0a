"""EXIF orientation inside the served graph: a camera held sideways says so in its files, where TensorFlow never looks.

Training sees photos upright, so a served model must as well: sideways ones would be answered wrongly without a word.
"""

import tensorflow as tf

_HEAD = 1 << 18  # The segment stands among the first, and none is longer than 64 KiB.
_MOST_SEGMENTS, _MOST_ENTRIES = 64, 256  # A stranger's file must not keep the loop going.
_EXIF, _SCAN, _FILL = 0xE1, 0xDA, 0xFF
_ORIENTATION, _SHORT = 0x0112, 3
_SWAPPED, _MIRRORED, _UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)


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
        wanted = tf.reduce_any(orientation == tf.constant(among, tf.int64))
        image = tf.cond(wanted, lambda image=image, turned=turned: turned(image), lambda image=image: image)
    return image


def _orientation(jpeg):
    """1 to 8; 1 where there is none."""
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(jpeg, 0, _HEAD), tf.uint8), tf.int64)
    head = tf.pad(head, [[0, 16]])
    tiff = _exif(head)
    found = tf.cond(tiff > 0, lambda: _tag(head, tiff), lambda: tf.constant(1, tf.int64))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _exif(head):
    """Where the content of the EXIF segment begins, 0 where there is none: segments are walked to the first scan."""
    size = tf.size(head, tf.int64)

    def unfinished(at, found):
        return (found == 0) & (at < size - 16) & (head[at] == _FILL) & (head[at + 1] != _SCAN)

    def next_segment(at, found):
        begins = tf.reduce_all(head[at + 4 : at + 10] == tf.constant(list(b"Exif\0\0"), tf.int64))
        found = tf.where((head[at + 1] == _EXIF) & begins, at + 10, found)
        # Any number of fill bytes may stand before a marker.
        length = tf.where(head[at + 1] == _FILL, tf.constant(1, tf.int64), 2 + 256 * head[at + 2] + head[at + 3])
        return at + length, found

    start = tf.constant(2, tf.int64), tf.constant(0, tf.int64)
    return tf.while_loop(unfinished, next_segment, start, maximum_iterations=_MOST_SEGMENTS)[1]


def _tag(head, tiff):
    """The orientation among the entries of the first directory, each of tag, type, count and value; 0 if none is it."""
    little = head[tiff] == ord("I")
    directory = tiff + _number(head, tiff + 4, 4, little)
    num = tf.minimum(_number(head, directory, 2, little), _MOST_ENTRIES)
    entry = directory + 2 + 12 * tf.range(num)
    is_it = (_number(head, entry, 2, little) == _ORIENTATION) & (_number(head, entry + 2, 2, little) == _SHORT)
    return tf.reduce_max(tf.concat([[0], tf.where(is_it, _number(head, entry + 8, 2, little), 0)], axis=0))


def _number(head, at, num_bytes, little):
    """Unsigned integers at some places [...]; beyond the end there are zeros."""
    index = tf.expand_dims(at, -1) + tf.range(num_bytes, dtype=tf.int64)
    digits = tf.gather(head, tf.minimum(index, tf.size(head, tf.int64) - 1))
    place = tf.range(num_bytes, dtype=tf.int64)
    place = tf.where(little, place, num_bytes - 1 - place)
    return tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * place), axis=-1)
