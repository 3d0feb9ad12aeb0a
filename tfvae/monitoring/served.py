"""A served version as those see it who watch it: images in, probabilities, codes and bounds out."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.batch import is_image
from tfvae.data import folder as folders
from tfvae.data import images, manifest, records
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
        self.shapes = {name: tuple(of["shape"]) for name, of in self.described.items() if is_image(name)}
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

    def takes(self, signature):
        """Names of the arguments of a signature."""
        return tuple(self.described["signatures"][signature]["inputs"])

    def compares(self, signature):
        """Whether a signature asks about images alone, as they are stored."""
        return signature in self.signatures and set(self.takes(signature)) <= {*self.shapes, "seed"}

    @property
    def score(self):
        """What `score` answers about images, `bound` or `energy`; "" where it does not."""
        outputs = self.described["signatures"]["score"]["outputs"] if self.compares("score") else ()
        return next((name for name in ("bound", "energy") if name in outputs), "")

    def of_images(self, signature, output, images):
        """One output of a signature for uint8 images {modality: [N, H, W, C]}, in batches; noise is a function of the
        row.
        """
        answers, num = [], len(next(iter(images.values())))
        for first in range(0, num, _BATCH):
            end = min(first + _BATCH, num)
            asked = {name: (image[first:end] / np.float32(255.0)).astype(np.float32) for name, image in images.items()}
            asked["seed"] = np.arange(first + 1, end + 1, dtype=np.int64)
            inputs = {name: asked[name] for name in self.takes(signature)}
            answers.append(self.ask(signature, **inputs)[output])
        return np.concatenate(answers)


def sample(source, shapes, num, seed=0, splits=("train", "validation", "test")):
    """The images of `drawn` without their names: {modality: uint8 [N, H, W, C]}."""
    return drawn(source, shapes, num, seed, splits)[0]


def drawn(source, shapes, num, seed=0, splits=("train", "validation", "test")):
    """Some images of a folder or of shards, as a model of that shape reads them.

    Args:
        source: the folder; of images, at any depth, or of shards.
        shapes: modality -> (H, W, C); of several, examples that have all of them are drawn.
        num: at most so many, drawn at random.
        seed: of the draw.
        splits: of shards, those that are read.

    Returns:
        {modality: uint8 [N, H, W, C]}, and the N names of their files; files that hold no image are left out.

    Raises:
        ValueError: for a source without one image, or shards of another shape.
    """
    source, rng = Path(source).expanduser(), np.random.default_rng(seed)
    if (source / manifest.NAME).is_file():
        found, names = _of_shards(source, shapes, num, rng, splits)
    elif not source.is_dir():
        raise ValueError(f"There is no folder {source}; give one of images, or of shards.")
    elif len(shapes) == 1:
        ((name, shape),) = shapes.items()
        image, names = _of_folder(source, shape, num, rng)
        found = {name: image}
    else:
        found, names = _of_examples(source, shapes, num, rng)
    if not all(len(image) for image in found.values()):
        raise ValueError(f"{source} holds no image that can be read.")
    return found, names


def _of_shards(source, shapes, num, rng, splits):
    described = manifest.read(source)
    manifest.verify(source, described)
    for name, shape in shapes.items():
        stored = described.modalities.get(name)
        if stored != shape:
            raise ValueError(f"The shards in {source} hold images of {stored} (`{name}`), the model takes {shape}.")
    shards = [shard for shard in described.shards if shard.split in splits and _has_all(described, shard, shapes)]
    if not shards:
        raise ValueError(f"The shards in {source} have no rows of {', '.join(splits)}.")
    files = [str(source / shard.name) for shard in shards]
    chosen = set(rng.permutation(sum(shard.records for shard in shards))[:num])
    found = [record.numpy() for i, record in enumerate(tf.data.TFRecordDataset(files)) if i in chosen]
    return {name: Image(name, shape).decoded(found) for name, shape in shapes.items()}, records.file_names(found)


def _has_all(described, shard, names):
    return set(names) <= set(described.required(shard))


def _of_examples(source, shapes, num, rng):
    """Examples of several images, in their own sizes."""
    found = folders.survey(source, folders.Config(validation_fraction=0.0, test_fraction=0.0))
    if any(found.shapes.get(name) != shape for name, shape in shapes.items()):
        raise ValueError(f"{source} holds images of {found.shapes}, the model takes {shapes}: ingest them first.")
    whole = [item for item in found.items if item.has(shapes)]
    chosen = [whole[i] for i in rng.permutation(len(whole))[:num]]
    read = {name: np.array([found.pixels(item, name) for item in chosen], np.uint8) for name in shapes}
    return read, [str(item.files[next(iter(shapes))]) for item in chosen]


def _of_folder(source, image_shape, num, rng):
    height, width, channels = image_shape
    if height != width:
        raise ValueError(
            f"Images of a folder are cut to squares, the model takes {height} x {width}: ingest them first."
        )
    files = folders.scan(source.resolve())[0]
    read, names = [], []
    for i in rng.permutation(len(files)):
        if len(read) == num:
            break
        try:
            read.append(images.read(source / files[i], height, channels == 1))
            names.append(str(files[i]))
        except images.BadImage:
            continue
    return np.array(read, np.uint8).reshape(-1, *image_shape), names
