"""Images made from a seed, of the size, the ink and the number of varying pixels of MNIST: no network, no files.

Speed does not depend on what images show, only on how many pixels a model sees and how well they compress.
"""

import contextlib
import hashlib
from pathlib import Path
from unittest import mock

import numpy as np

NUM_PIXELS = 444  # of MNIST's 784 vary by at least 0.1 (standard deviation of the intensity)
NUM_CLASSES = 10
_SIDE, _COARSE = 28, 7


def images(num, seed=0):
    """Smooth blobs, ink on a fifth of the pixels, none but the middle 444 ever inked: uint8 [num, 28, 28, 1]."""
    rng = np.random.default_rng(seed)
    upsample = _interpolation()
    coarse = rng.standard_normal([num, _COARSE, _COARSE]).astype(np.float32)
    smooth = np.einsum("ij,njk,lk->nil", upsample, coarse, upsample, optimize=True)
    ink = np.clip(400.0 * (smooth - 0.2), 0.0, 255.0)
    return (ink * middle_pixels()).astype(np.uint8)[..., None]


def save_images(path, num, seed=0):
    """Makes images and saves them as .npy; what they are, for the record."""
    image = images(num, seed)
    np.save(path, image)
    return {"made_data.images": {"num": num, "seed": seed}, "sha256": hashlib.sha256(image.tobytes()).hexdigest()}


def middle_pixels():
    """Whether a pixel is one of the 444 nearest to the centre: bool [28, 28]."""
    offset = np.arange(_SIDE) - (_SIDE - 1) / 2
    order = np.argsort((offset[:, None] ** 2 + offset**2).ravel(), kind="stable")
    inside = np.zeros(_SIDE**2, bool)
    inside[order[:NUM_PIXELS]] = True
    return inside.reshape(_SIDE, _SIDE)


def labels(num):
    """Classes in turn: int64 [num]."""
    return np.arange(num, dtype=np.int64) % NUM_CLASSES


def write_shards(folder, image, num_labelled, storage="raw", num_shards=2):
    """Writes images as `tfvae-ingest` would, the first `num_labelled` of them with labels.

    Args:
        folder: is made.
        image: uint8 [N, 28, 28, 1].
        num_labelled: how many of them are labelled.
        storage: `raw` or `png`, see `stored_as`.
        num_shards: files of unlabelled images.
    """
    import tensorflow as tf

    from tfvae.data import manifest, records

    folder = Path(folder)
    folder.mkdir()
    label = labels(len(image))
    parts = {"train-labelled-00000-of-00001": np.arange(num_labelled)}
    for i, rows in enumerate(np.array_split(np.arange(num_labelled, len(image)), num_shards)):
        parts[f"train-unlabelled-{i:05}-of-{num_shards:05}"] = rows
    shards = []
    for name, rows in parts.items():
        path = folder / f"{name}.tfrecord"
        with stored_as(storage), tf.io.TFRecordWriter(str(path)) as writer:
            for row in rows:
                writer.write(records.serialise(image[row], label[row] if row < num_labelled else None))
        shards.append(manifest.describe(path, len(rows)))
    names = tuple(str(k) for k in range(NUM_CLASSES))
    made = manifest.Manifest(image.shape[1:], names, tuple(shards), manifest.count(shards))
    (folder / manifest.NAME).write_text(made.to_json())


@contextlib.contextmanager
def stored_as(storage):
    """Shards are written and read as `raw` or as `png` inside.

    tfvae stores images of this size as raw bytes and only larger ones as PNG, so for PNG its limit is moved.
    """
    from tfvae.data.entries import image

    limit = 0 if storage == "png" else _SIDE**2
    with mock.patch.object(image, "RAW_BYTES", limit):
        yield


def _interpolation():
    """Linear interpolation from 7 to 28 points: float32 [28, 7]."""
    position = np.linspace(0, _COARSE - 1, _SIDE)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(_COARSE))).astype(np.float32)
