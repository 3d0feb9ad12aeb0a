"""Batches of streams as what a sampler observes."""

import tensorflow as tf

from tfvae.batch import IMAGE, LABEL, LABELLED, ROW, TAGGED, TAGS, UNLABELLED, Batch, DataInfo, Stream
from tfvae.samplers.dgdn.state import NONE, Data


def data_of(batch: Batch, num_classes: int, num_tags: int = 0) -> Data:
    """`Data` of the images of all streams, one after the other."""
    streams = batch.values()
    images = tf.concat([stream[IMAGE] for stream in streams], axis=0)
    signs = tf.concat([_sign(stream, num_classes) for stream in streams], axis=0)
    tags = tf.concat([_tags(stream, num_tags) for stream in streams], axis=0) if num_tags else NONE
    return Data(images, signs, tags)


def rows_of(batch: Batch) -> tf.Tensor:
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


def num_images(batch: Batch, info: DataInfo) -> int:
    """How many different images the streams of a batch have: all training rows, or without bare ones the labelled."""
    return info.num_labelled if set(batch) == {LABELLED} else info.num_train


def whole(batch: Batch, num_classes: int, info: DataInfo, num_tags: int = 0) -> Data:
    """`Data` of all images that there are to learn from, in the order of their rows.

    A row of several streams has what any of them tells.

    Raises:
        ValueError: for batches that do not have every image.
    """
    _check_whole(batch, info)
    data, rows = data_of(batch, num_classes, num_tags), rows_of(batch)
    if set(batch) == {LABELLED}:  # Each row once.
        return tf.nest.map_structure(lambda of: tf.gather(of, tf.argsort(rows)), data)
    place = rows[:, None]
    image = tf.tensor_scatter_nd_update(tf.zeros([info.num_train, *data.image.shape[1:]]), place, data.image)
    tags = NONE
    if num_tags:
        tags = tf.tensor_scatter_nd_max(tf.fill([info.num_train, num_tags], -1.0), place, data.tags)
    return Data(image, _signs_of_all(data.sign, place, info.num_train), tags)


def _signs_of_all(sign: tf.Tensor, place: tf.Tensor, num_train: int) -> tf.Tensor:
    """[N, K] of all rows; 0 for those without a label in any stream."""
    if not sign.shape[1]:
        return tf.zeros([num_train, 0])
    told = sign - 2.0 * tf.cast(sign == 0, tf.float32)
    found = tf.tensor_scatter_nd_max(tf.fill([num_train, sign.shape[1]], -2.0), place, told)
    return tf.where(found < -1.0, 0.0, found)


def _check_whole(batch: Batch, info: DataInfo) -> None:
    """Raises ValueError for batches that do not have every row of their streams."""
    whole = {LABELLED: info.num_labelled, TAGGED: info.num_tagged, UNLABELLED: info.num_train}
    sizes = {name: int(stream[IMAGE].shape[0]) for name, stream in batch.items()}
    if all(sizes[name] >= whole[name] for name in sizes) and (UNLABELLED in sizes or set(sizes) == {LABELLED}):
        return
    wanted = [f"`data.labelled_batch={info.num_labelled}`"]
    if set(sizes) != {LABELLED}:
        wanted = [f"`data.unlabelled_batch={info.num_train}`", *(wanted if LABELLED in sizes else [])]
    if TAGGED in sizes:
        wanted.append(f'`data.batches={{"tagged": {info.num_tagged}}}`')
    raise ValueError(
        f"A Gibbs sweep is over all {num_images(batch, info):,} images, got batches of {sizes}: set "
        f"{' and '.join(wanted)}. For minibatches there are BCDF and MCEM."
    )


def _sign(stream: Stream, num_classes: int) -> tf.Tensor:
    """[N, K], 1 at the class and −1 elsewhere; 0 without labels."""
    if LABEL not in stream:
        return tf.zeros([stream[IMAGE].shape[0], num_classes])
    return 2.0 * tf.one_hot(stream[LABEL], num_classes) - 1.0


def _tags(stream: Stream, num_tags: int) -> tf.Tensor:
    """[N, V]; −1 without tags."""
    return stream[TAGS] if TAGS in stream else tf.fill([stream[IMAGE].shape[0], num_tags], -1.0)
