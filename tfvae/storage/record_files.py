"""A TFRecord file that appears when it is whole and on the disk."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from tfvae.storage import tfrecord_format, unfinished
from tfvae.storage.disk import PathLike


def write(path: PathLike, serialised: Iterable[bytes]) -> int:
    """Writes a stream of records.

    Args:
        path: of the file.
        serialised: the records, any iterable.

    Returns:
        How many they were.

    Raises:
        OSError: if they cannot be written; TensorFlow's writer has errors of its own, and none for a full disk.
    """
    path = Path(path)
    num, size = 0, 0
    try:
        with unfinished.new_file(path) as file:
            with tf.io.TFRecordWriter(file.name) as writer:
                for record in serialised:
                    writer.write(record)
                    num, size = num + 1, size + tfrecord_format.size(record)
            written = os.stat(file.name).st_size
            if written != size:
                raise OSError(errno.ENOSPC, f"{written} of {size} bytes were written", str(path))
    except tf.errors.OpError as error:
        known = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES)
        number = next((number for number in known if os.strerror(number) in str(error)), errno.EIO)
        raise OSError(number, os.strerror(number) if number != errno.EIO else str(error), str(path)) from error
    return num
