"""Any image classification set of TensorFlow Datasets, by name."""

import collections

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.data import images
from tfvae.data.entries.caption import cleaned
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source, concatenate

# What these sets call their image and label; the others follow TFDS's custom of "image" and "label".
_KEYS = {"smallnorb": ("image", "label_category")}
# More images that a set ships beside "train" (Maaløe et al. 2016 train on both for SVHN, Pu et al. 2016 for COCO).
_EXTRA_SPLITS = {"svhn_cropped": "extra", "coco_captions": "restval"}


def load(config):
    """Reads the splits `train` and `test` of `config.name` from `config.data_dir`, nothing is downloaded.

    Small NORB becomes what the source trains on: the image pair side by side in channels, 32×32 (`image_size=32`).

    Raises:
        ValueError: for a set that is not there, that has no images or that has images of several sizes.
    """
    builder = builder_of(config.name, config.data_dir)
    train = rows(builder, "train", config.image_size)
    extra = _EXTRA_SPLITS.get(builder.name)
    if extra in builder.info.splits and config.extra_split:
        train = concatenate([train, rows(builder, extra, config.image_size)])
    validation = rows(builder, "val", config.image_size) if "val" in builder.info.splits and train.captions else None
    return Source(train, rows(builder, "test", config.image_size), class_names(builder), validation=validation)


def builder_of(name, data_dir=""):
    """The builder of a set that is prepared; nothing is downloaded.

    Raises:
        ValueError: for a set that is not there.
    """
    import tensorflow_datasets as tfds

    if not name:
        raise ValueError("`data.source=tfds` needs `data.name`, e.g. --config.data.name=mnist.")
    arguments = {"data_dir": data_dir} if data_dir else {}
    try:
        builder = tfds.builder(name, **arguments)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ValueError(f"TensorFlow Datasets has no set {name!r} (data_dir={data_dir or 'the default'}).") from error
    if not builder.is_prepared():
        raise ValueError(
            f"The set {name!r} is not prepared in {builder.data_dir}. Give --config.data.data_dir, or prepare "
            f"it once with `tfds build {name}`."
        )
    return builder


def class_names(builder):
    """A name for every label; () where the set names none."""
    label_key = _KEYS.get(builder.name, ("image", "label"))[1]
    features = builder.info.features
    return tuple(getattr(features[label_key], "names", None) or ()) if label_key in features else ()


def rows(builder, split, image_size=0):
    """`Examples` of a split, or of a slice of one such as `train[100:200]`."""
    image_key, label_key = _KEYS.get(builder.name, ("image", "label"))
    if split.partition("[")[0] not in builder.info.splits:
        raise ValueError(f"The set {builder.name!r} has the splits {sorted(builder.info.splits)}, `{split}` is needed.")
    examples = builder.as_dataset(split=split, shuffle_files=False)
    if image_key not in examples.element_spec:
        raise ValueError(f"The set {builder.name!r} has no {image_key!r}; it has {sorted(examples.element_spec)}.")

    has_captions = "captions" in examples.element_spec  # As in `coco_captions`.

    def entries(example):
        pair = [example[image_key]] + ([example["image2"]] if "image2" in example else [])
        captions = example["captions"]["text"] if has_captions else ()
        return tf.concat(pair, axis=-1), tf.cast(example.get(label_key, NO_LABEL), tf.int64), captions

    one_size = None not in examples.element_spec[image_key].shape
    if not image_size and not one_size:
        raise ValueError(
            f"The images of {builder.name!r} have several sizes; give one, e.g. --config.data.image_size=64."
        )
    # Images of several sizes come one by one, as they are resized.
    batches = examples.map(entries, num_parallel_calls=tf.data.AUTOTUNE).ragged_batch(1000 if one_size else 1)
    parts = [(_prepared(builder, image, image_size), label, captions) for image, label, captions in batches]
    image, label, captions = zip(*parts)
    if not has_captions:
        return Examples(np.concatenate(image), np.concatenate(label))
    repairs = collections.Counter()
    texts = tuple(_cleaned(row, repairs) for part in captions for row in part.to_list())
    if repairs:
        logging.warning("Captions of %s, split %s: %s.", builder.name, split, dict(repairs))
    return Examples(np.concatenate(image), np.concatenate(label), caption=texts)


def _prepared(builder, image, image_size):
    """uint8 of a batch of images, as those of files are prepared."""
    image = image.to_tensor() if isinstance(image, tf.RaggedTensor) else image
    try:
        return images.prepared(image.numpy(), image_size)
    except ValueError as error:
        raise ValueError(f"The images of {builder.name!r} cannot be read: {error}") from error


def _cleaned(captions, repairs):
    """The captions of one image as text, those without a word left out."""
    said = (cleaned(caption.decode(errors="replace"), repairs) for caption in captions)
    return tuple(text for text in said if text)
