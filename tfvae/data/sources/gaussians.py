"""Points of laws that are known: one Gaussian, or eight on a ring, to hold a generative model against."""

import numpy as np

from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source
from tfvae.probability import known_gaussians

_NUM_TRAIN, _NUM_TEST = 10_000, 2_000


def load(config):
    """10,000 training and 2,000 test points in the plane.

    With `config.name` "" of one Gaussian; with "ring" of eight, whose standard deviation is `config.points_noise` and
    whose number is a point's label.

    Raises:
        ValueError: for another name.
    """
    if config.name not in ("", "ring"):
        raise ValueError(f"`data.name` for the Gaussians is '' or 'ring', got {config.name!r}.")
    rng = np.random.default_rng(0)
    if config.name == "ring":
        train, test = (
            Examples(*known_gaussians.draw_ring(num, config.points_noise, rng)) for num in (_NUM_TRAIN, _NUM_TEST)
        )
        return Source(train, test, tuple(f"mode {k + 1}" for k in range(known_gaussians.NUM_MODES)))
    train, test = (Examples(known_gaussians.draw(num, rng), np.full(num, NO_LABEL)) for num in (_NUM_TRAIN, _NUM_TEST))
    return Source(train, test)
