"""Batches of streams as what a sampler observes."""

import tensorflow as tf

from tfvae.batch import IMAGE, LABEL, ROW, TAGS
from tfvae.samplers.dgdn.state import NONE, Data


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


def whole(batch, num_classes, num_train, num_tags=0):
    """`Data` of all training rows, in their order; a row of several streams has what any of them tells."""
    data, place = data_of(batch, num_classes), rows_of(batch)[:, None]
    image = tf.tensor_scatter_nd_update(tf.zeros([num_train, *data.image.shape[1:]]), place, data.image)
    tags = NONE
    if num_tags:
        tags = tf.tensor_scatter_nd_max(tf.fill([num_train, num_tags], -1.0), place, _tags(batch, num_tags))
    return Data(image, _signs_of_all(data.sign, place, num_train), tags)


def _signs_of_all(sign, place, num_train):
    """[N, K] of all rows; 0 for those without a label in any stream."""
    if not sign.shape[1]:
        return tf.zeros([num_train, 0])
    told = sign - 2.0 * tf.cast(sign == 0, tf.float32)
    found = tf.tensor_scatter_nd_max(tf.fill([num_train, sign.shape[1]], -2.0), place, told)
    return tf.where(found < -1.0, 0.0, found)


def _tags(batch, num_tags):
    """[N, V] of the images of all streams; −1 without tags."""
    return tf.concat(
        [stream.get(TAGS, tf.fill([stream[IMAGE].shape[0], num_tags], -1.0)) for stream in batch.values()], axis=0
    )


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
