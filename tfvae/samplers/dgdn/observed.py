"""Batches of streams as what a sampler observes."""

import tensorflow as tf

from tfvae.batch import IMAGE, LABEL, LABELLED, ROW, UNLABELLED
from tfvae.samplers.dgdn.state import Data


def data_of(batch, num_classes):
    """`Data` of the images of all streams, one after the other."""
    signs = [_sign(stream, num_classes) for stream in batch.values()]
    return Data(tf.concat([stream[IMAGE] for stream in batch.values()], axis=0), tf.concat(signs, axis=0))


def rows_of(batch):
    """Numbers of these among the training rows: int32 [N].

    Raises:
        ValueError: for batches that do not say.
    """
    for name, stream in batch.items():
        if ROW not in stream:
            raise ValueError(
                f"The chain finds what is local to an image by its row, which the {name} batches lack: set "
                '`data.entries=("row",)`.'
            )
    return tf.concat([tf.cast(stream[ROW], tf.int32) for stream in batch.values()], axis=0)


def num_images(batch, info):
    """How many different images the streams of a batch have: all training rows, or without bare ones the labelled."""
    return info.num_labelled if set(batch) == {LABELLED} else info.num_train


def whole(batch, num_classes, info):
    """`Data` of all images that there are to learn from, in the order of their rows.

    A row of several streams has what any of them tells.

    Raises:
        ValueError: for batches that do not have every image.
    """
    _check_whole(batch, info)
    data, rows = data_of(batch, num_classes), rows_of(batch)
    if set(batch) == {LABELLED}:  # Each row once.
        return tf.nest.map_structure(lambda of: tf.gather(of, tf.argsort(rows)), data)
    image = tf.zeros([info.num_train, *data.image.shape[1:]])
    image = tf.tensor_scatter_nd_update(image, rows[:, None], data.image)
    if not num_classes:
        return Data(image, tf.zeros([info.num_train, 0]))
    sign = tf.fill([info.num_train, num_classes], -2.0)
    sign = tf.tensor_scatter_nd_max(sign, rows[:, None], data.sign - 2.0 * tf.cast(data.sign == 0, tf.float32))
    return Data(image, tf.where(sign < -1.0, 0.0, sign))


def _check_whole(batch, info):
    """Raises ValueError for batches that do not have every row of their streams."""
    sizes = {name: int(stream[IMAGE].shape[0]) for name, stream in batch.items()}
    bare, labelled = sizes.get(UNLABELLED), sizes.get(LABELLED, info.num_labelled)
    enough = labelled == info.num_labelled if bare is None else bare >= info.num_train and labelled >= info.num_labelled
    if not enough:
        wanted = f"`data.labelled_batch={info.num_labelled}`"
        if bare is not None:
            wanted = f"`data.unlabelled_batch={info.num_train}`, and with labels {wanted}"
        raise ValueError(
            f"A Gibbs sweep is over all {num_images(batch, info):,} images, got batches of {sizes}: set {wanted}. For "
            "minibatches there are BCDF and MCEM."
        )


def _sign(stream, num_classes):
    """[N, K], 1 at the class and −1 elsewhere; 0 without labels."""
    if LABEL not in stream:
        return tf.zeros([stream[IMAGE].shape[0], num_classes])
    return 2.0 * tf.one_hot(stream[LABEL], num_classes) - 1.0
