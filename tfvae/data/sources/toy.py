"""Draws of a generative model whose posterior is known  (Pu 2017, section 4.5.1)."""

import numpy as np

from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source
from tfvae.probability import gaussian_mixture

_NUM_TRAIN, _NUM_TEST = 10_000, 10


def load(config):
    """10,000 training and 10 test points; `config.points_noise` is σ, as the model's `network.noise` has to be."""
    rng = np.random.default_rng(0)
    train, test = (
        Examples(gaussian_mixture.draw(num, config.points_noise, rng), np.full(num, NO_LABEL))
        for num in (_NUM_TRAIN, _NUM_TEST)
    )
    return Source(train, test)
