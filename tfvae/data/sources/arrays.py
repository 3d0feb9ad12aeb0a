"""Images in one NumPy file, such as the Frey faces: `images` and, where they are known, `labels`."""

from pathlib import Path

import numpy as np

from tfvae.data import images
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source
from tfvae.storage import numpy_files

# Every so many images in the order of the file is a test image: neighbours of a film are alike, so some of each scene.
_TEST_EVERY = 10


def load(config):
    """`images` [N, H, W] or [N, H, W, C] of the .npz file `config.path`, every tenth one for the test.

    Raises:
        ValueError: for a file that is not there or holds something else.
    """
    image, label = _read(Path(config.path).expanduser())
    rows = Examples(images.prepared(image, config.image_size), label)
    is_test = np.arange(len(label)) % _TEST_EVERY == _TEST_EVERY - 1
    names = tuple(str(k) for k in range(label.max(initial=NO_LABEL) + 1))
    return Source(rows.take(np.flatnonzero(~is_test)), rows.take(np.flatnonzero(is_test)), names)


def _read(path):
    if not path.is_file():
        raise ValueError(
            f"`data.source=arrays` reads a file of NumPy with the array `images`; {str(path)!r} is not there. Set "
            "`data.path`."
        )
    found = numpy_files.read_archive(path, ("images", "labels"))
    image = found.get("images")
    if image is None or image.ndim not in (3, 4) or not len(image):
        shape = None if image is None else image.shape
        raise ValueError(f"{path} needs an array `images` [N, H, W] or [N, H, W, C], it has the shape {shape}.")
    label = found.get("labels", np.full(len(image), NO_LABEL))
    if label.shape != (len(image),):
        raise ValueError(f"{path} has {len(image)} images and `labels` of the shape {label.shape}.")
    return image if image.ndim == 4 else image[..., None], label.astype(np.int64)
