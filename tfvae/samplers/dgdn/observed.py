"""Batches of streams as what a sampler observes."""

import tensorflow as tf

from tfvae.batch import IMAGE, LABEL, ROW
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


def whole(batch, num_classes, num_train):
    """`Data` of all training rows, in their order; a row of several streams has what any of them tells."""
    data, rows = data_of(batch, num_classes), rows_of(batch)
    image = tf.zeros([num_train, *data.image.shape[1:]])
    image = tf.tensor_scatter_nd_update(image, rows[:, None], data.image)
    if not num_classes:
        return Data(image, tf.zeros([num_train, 0]))
    sign = tf.fill([num_train, num_classes], -2.0)
    sign = tf.tensor_scatter_nd_max(sign, rows[:, None], data.sign - 2.0 * tf.cast(data.sign == 0, tf.float32))
    return Data(image, tf.where(sign < -1.0, 0.0, sign))


def _sign(stream, num_classes):
    """[N, K], 1 at the class and −1 elsewhere; 0 without labels."""
    if LABEL not in stream:
        return tf.zeros([stream[IMAGE].shape[0], num_classes])
    return 2.0 * tf.one_hot(stream[LABEL], num_classes) - 1.0


def check_whole(batch, num_train, num_labelled):
    """Raises ValueError for batches that do not have every training row, and every label."""
    sizes = {name: int(stream[IMAGE].shape[0]) for name, stream in batch.items()}
    labelled = sizes.get("labelled", 0)
    if max(sizes.values()) < num_train or (labelled and labelled < num_labelled):
        raise ValueError(
            f"A Gibbs sweep is over all {num_train:,} training rows, {num_labelled:,} of them labelled, got batches of "
            f"{sizes}: set `data.unlabelled_batch={num_train}`, or with labels for all of them "
            f"`data.labelled_batch={num_train}`; for minibatches there are BCDF and MCEM."
        )
