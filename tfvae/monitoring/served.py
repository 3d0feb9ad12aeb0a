"""A served version as those see it who watch it: images in, probabilities, codes and bounds out."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.data import images, manifest
from tfvae.data.entries.image import Image
from tfvae.serving import export

_BATCH = 100


class Served:
    """A version, or the newest one of a base path.

    Args:
        model: its path.

    Raises:
        ValueError: where there is no version.
    """

    def __init__(self, model):
        self.version = export.newest(model)
        self.described = export.describe(self.version)
        self.image_shape = tuple(self.described["image"]["shape"])
        self.class_names = tuple(self.described["class_names"])
        self._model = tf.saved_model.load(str(self.version))

    @property
    def signatures(self):
        """Names of all that it can be asked."""
        return tuple(self._model.signatures)

    def ask(self, signature, **inputs):
        """{output: array} of one call."""
        answer = self._model.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in answer.items()}

    def of_images(self, signature, output, image):
        """One output of a signature for uint8 images [N, H, W, C], in batches; noise is a function of the row."""
        answers = []
        for first in range(0, len(image), _BATCH):
            levels = image[first : first + _BATCH]
            inputs = {"image": (levels / np.float32(255.0)).astype(np.float32)}
            if signature == "score":
                inputs["seed"] = np.arange(first + 1, first + 1 + len(levels), dtype=np.int64)
            answers.append(self.ask(signature, **inputs)[output])
        return np.concatenate(answers)


def sample(source, image_shape, num, seed=0, splits=("train", "validation", "test")):
    """Some images of a folder or of shards, as a model of that shape reads them.

    Args:
        source: the folder; of images, at any depth, or of shards.
        image_shape: (H, W, C).
        num: at most so many, drawn at random.
        seed: of the draw.
        splits: of shards, those that are read.

    Returns:
        uint8 [N, H, W, C]; files that hold no image are left out.

    Raises:
        ValueError: for a source without one image, or shards of another shape.
    """
    source, rng = Path(source).expanduser(), np.random.default_rng(seed)
    if (source / manifest.NAME).is_file():
        found = _of_shards(source, image_shape, num, rng, splits)
    elif source.is_dir():
        found = _of_folder(source, image_shape, num, rng)
    else:
        raise ValueError(f"There is no folder {source}; give one of images, or of shards.")
    if not len(found):
        raise ValueError(f"{source} holds no image that can be read.")
    return found


def _of_shards(source, image_shape, num, rng, splits):
    described = manifest.read(source)
    manifest.verify(source, described)
    if described.image_shape != image_shape:
        raise ValueError(
            f"The shards in {source} hold images of {described.image_shape}, the model takes {image_shape}."
        )
    files = [str(source / shard.name) for shard in described.shards if shard.split in splits]
    if not files:
        raise ValueError(f"The shards in {source} have no rows of {', '.join(splits)}.")
    chosen = set(rng.permutation(sum(shard.records for shard in described.shards if shard.split in splits))[:num])
    drawn = [record.numpy() for i, record in enumerate(tf.data.TFRecordDataset(files)) if i in chosen]
    return Image(shape=image_shape).decoded(drawn)


def _of_folder(source, image_shape, num, rng):
    height, width, channels = image_shape
    if height != width:
        raise ValueError(
            f"Images of a folder are cut to squares, the model takes {height} x {width}: ingest them first."
        )
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    read = []
    for i in rng.permutation(len(files)):
        if len(read) == num:
            break
        try:
            read.append(images.read(files[i], height, channels == 1))
        except images.BadImage:
            continue
    return np.array(read, np.uint8).reshape(-1, *image_shape)
