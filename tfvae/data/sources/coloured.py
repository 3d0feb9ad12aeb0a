"""Coloured digits and the coloured maps of their edges as two modalities  (Shah, section 7.4)."""

import numpy as np
from scipy import ndimage

from tfvae.data.examples import Examples
from tfvae.data.sources import halves

# Red, green and blue digits, and in the same order the colours of their edges, as in the authors' code.
COLOURS = np.array([(255, 0, 0), (0, 219, 0), (61, 18, 198)], np.uint8)
EDGE_COLOURS = np.array([(255, 211, 0), (0, 191, 43), (0, 41, 191)], np.uint8)
_SEED = 20170301


def load(config):
    """Every digit as `image`, painted in one of three colours, and `image_edges`, its Sobel edges in another one that
    follows from the first. The colour of a digit is drawn once, by its place in the set. `data.name` is as of `halves`.
    """
    whole = halves.whole_digits(config)
    return whole._replace(train=_coloured(whole.train, _SEED), test=_coloured(whole.test, _SEED + 1))


def _coloured(rows, seed):
    colour = np.random.default_rng(seed).integers(0, len(COLOURS), len(rows))
    gray = rows.image[..., 0]
    return Examples(painted(gray, COLOURS[colour]), rows.label, image_edges=edges(gray, EDGE_COLOURS[colour]))


def painted(gray, colours):
    """Every pixel above 0 in the colour of its image: uint8 [N, H, W] and [N, 3] -> uint8 [N, H, W, 3]."""
    return (gray > 0)[..., None] * colours[:, None, None]


def edges(gray, colours):
    """The magnitude of Sobel's gradient, the strongest of an image as 1, times the image's colour: uint8 [N, H, W, 3].

    The image goes on beyond its border as it ends there, so a border is no edge.
    """
    levels = gray.astype(np.float32)
    magnitude = np.hypot(*(ndimage.sobel(levels, axis, mode="nearest") for axis in (1, 2)))
    strongest = np.maximum(magnitude.max(axis=(1, 2), keepdims=True), 1e-6)
    return np.round((magnitude / strongest)[..., None] * colours[:, None, None]).astype(np.uint8)
