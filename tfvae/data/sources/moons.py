"""Two half-moons with three labelled points a class  (Maaløe et al. 2016, section 4.2)."""

import numpy as np

from tfvae.data.examples import Examples, Source

_NUM = 10_000
# The labelled points of the authors' code, and the frame they stand in: it adds the magnitude of the least of all
# coordinates, about 1.7 at its noise, to both coordinates.
_SHIFT = np.array([1.7, 1.7], np.float32)
_CODE_POINTS = np.array([[0.7, 1.7], [1.6, 2.6], [2.7, 1.7], [1.6, 2.0], [2.7, 1.1], [3.5, 2.0]], np.float32)
_CODE_LABELS = np.array([0, 0, 0, 1, 1, 1], np.int64)


def load(config):
    """10,000 training and 10,000 test points; `config.points_noise` is the standard deviation of the noise.

    With `config.name` "code" the six labelled points are those of the authors' code (their coordinates are taken as
    they stand, in the shifted frame); otherwise ("") three points a class are drawn by `label_seed` as for any source.

    Raises:
        ValueError: for another name.
    """
    if config.name not in ("", "code"):
        raise ValueError(f"`data.name` for the half-moons is '' or 'code', got {config.name!r}.")
    rng = np.random.default_rng(0)
    train, test = (_draw(rng, _NUM, config.points_noise) for _ in range(2))
    names = ("top", "bottom")
    if config.name == "":
        return Source(train, test, names)
    fixed = np.arange(_NUM, _NUM + len(_CODE_LABELS))
    train = Examples(np.concatenate([train.image, _CODE_POINTS]), np.concatenate([train.label, _CODE_LABELS]))
    return Source(train, test, names, labelled=fixed)


def _draw(rng, num, noise):
    label = np.arange(num, dtype=np.int64) % 2
    angle = rng.uniform(0.0, np.pi, num)
    top = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    bottom = np.stack([1.0 - np.cos(angle), 1.0 - np.sin(angle) - 0.5], axis=-1)
    points = np.where(label[:, None] == 0, top, bottom) + noise * rng.standard_normal((num, 2))
    return Examples((points + _SHIFT).astype(np.float32), label)
