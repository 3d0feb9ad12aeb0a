"""What Transform does: what all presets have in common.

From gray levels to observations is the model's own transform: it is fitted on the training rows by the run, frozen in
its split.json and exported inside the SavedModel, so that training and serving cannot differ. Here an example becomes
what every run reads: one label, -1 where there is none, and images that are known to have the size they state.
"""

import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import entries
from tfvae.data.entries.image import Image
from tfvae.data.entries.label import NO_LABEL


def preprocessing_fn(inputs, custom_config):
    """Transform's callback.

    Args:
        inputs: features of the schema -> tensors; optional ones are sparse.
        custom_config: {"modalities": {"image": [H, W, C], ...}}.

    Returns:
        features of a record of `tfvae.data.records`.
    """
    outputs = {}
    for name, shape in custom_config["modalities"].items():
        alone = len(custom_config["modalities"]) == 1
        outputs |= _image(inputs, Image(name, shape), required=alone)
    if batches.LABEL in inputs:
        outputs[batches.LABEL] = _label(inputs[batches.LABEL])
    others = [entry for entry in entries.kinds().values() if not batches.is_image(entry.name)]
    read = [name for entry in others for name in entry.spec() if name != batches.LABEL]
    return outputs | {name: inputs[name] for name in read if name in inputs}


def _image(inputs, image, required):
    """The features of one image; of one that every example has it is checked that they state its size."""
    found = {name: inputs[name] for name in (image.feature, image.shape_feature)}
    if not required:
        return found
    content, stated = (_dense(value) for value in found.values())
    shape = tf.constant(image.shape, tf.int64, [1, 3])
    check = tf.debugging.assert_equal(stated, tf.repeat(shape, tf.shape(stated)[0], axis=0))
    with tf.control_dependencies([check]):
        return {image.feature: tf.identity(content), image.shape_feature: tf.identity(stated)}


def _dense(values):
    return tf.sparse.to_dense(values) if isinstance(values, tf.SparseTensor) else values


def _label(values):
    """[B, 1]: the label of every row, or `NO_LABEL`."""
    if not isinstance(values, tf.SparseTensor):
        return values
    shape = tf.stack([values.dense_shape[0], tf.constant(1, tf.int64)])
    return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default_value=NO_LABEL)
