"""What Transform does: what all presets have in common.

From gray levels to observations is the model's own transform: it is fitted on the training rows by the run, frozen in
its split.json and exported inside the SavedModel, so that training and serving cannot differ. Here an example becomes
what every run reads: one label, -1 where there is none, and images that are known to have the size they state.
"""

import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import records
from tfvae.data.entries.label import NO_LABEL

# Of the texts, those that training reads; the others stay behind.
_TEXTS = (records.CAPTION,)


def preprocessing_fn(inputs, custom_config):
    """Transform's callback.

    Args:
        inputs: features of the schema -> tensors; optional ones are sparse.
        custom_config: {"image_shape": [H, W, C]}.

    Returns:
        features of a record of `tfvae.data.records`.
    """
    shape = tf.constant(custom_config["image_shape"], tf.int64, [1, 3])
    image, stated = (_dense(inputs[name]) for name in (batches.IMAGE, records.SHAPE))
    check = tf.debugging.assert_equal(stated, tf.repeat(shape, tf.shape(stated)[0], axis=0))
    with tf.control_dependencies([check]):
        outputs = {batches.IMAGE: tf.identity(image), records.SHAPE: tf.identity(stated)}
    if batches.LABEL in inputs:
        outputs[batches.LABEL] = _label(inputs[batches.LABEL])
    return outputs | {name: inputs[name] for name in _TEXTS if name in inputs}


def _dense(values):
    return tf.sparse.to_dense(values) if isinstance(values, tf.SparseTensor) else values


def _label(values):
    """[B, 1]: the label of every row, or `NO_LABEL`."""
    if not isinstance(values, tf.SparseTensor):
        return values
    shape = tf.stack([values.dense_shape[0], tf.constant(1, tf.int64)])
    return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default_value=NO_LABEL)
