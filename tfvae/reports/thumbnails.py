"""Small pictures for pages that show many."""

import io

import numpy as np
from PIL import Image

from tfvae.reports import generation

SIDE = 96


def of(image):
    """A Pillow image of RGB as a small JPEG; one of few pixels is enlarged by a whole factor, as it is."""
    if max(image.size) < SIDE:
        scale = SIDE // max(image.size)
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()


def of_array(image):
    """The same of an array [H, W, C], uint8 or floats in [0, 1], of any number of channels."""
    drawn = generation.grid(np.asarray(image)[None], 1, gap=0)
    return of(Image.fromarray(drawn.squeeze(-1) if drawn.shape[-1] == 1 else drawn).convert("RGB"))
