"""How a model renders an image level by level, and what its layers know of how the image was made."""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import decoding
from tfvae.reports import figures, generation
from tfvae.reports.panel import Panel, Panels

_IMAGES = 8


def draw(model, data, metrics, seed):
    """Templates of held-out images, and errors of decoding a layer."""
    del seed
    drawn = []
    originals = data.validation if len(data.validation) else data.test
    if model.can(Capability.TEMPLATES) and len(originals) and generation.has_pictures(data):
        drawn.append(
            Panel(
                "From class to image",
                "Held-out images below each other; from left to right the template of their most probable class as it "
                "is rendered level by level (the mean over channels, each picture from its darkest to its brightest), "
                "the rendered image, and the original.",
                generation.png(renderings(model, data, originals.take(np.arange(min(_IMAGES, len(originals)))))),
                pixels=True,
            )
        )
    if metrics.get(decoding.KEY):
        drawn.append(
            Panel(
                "Linear decoding",
                f"Errors of linear classifiers that find a factor's bin, of {decoding.NUM_BINS}, from the first "
                f"{decoding.NUM_COMPONENTS} principal components of each layer (Nguyen et al. 2016, figure 4).",
                figures.by_layer(metrics[decoding.KEY], chance=1.0 - 1.0 / decoding.NUM_BINS),
            )
        )
    return drawn


def renderings(model, data, rows):
    """A line for every row: its templates, the image that is rendered of them, the original: uint8 [H, W, C]."""
    observed = data.observe(rows)
    *templates, rendered = model.templates(tf.constant(observed))
    side, pictures = model.image_shape[:2], data.transform.picture
    # The class's own is the same at every position, and maps of one pixel show nothing.
    templates = [z for z in templates[1:] if z.shape[1] * z.shape[2] > 1]
    levels = [_of_image_size(_contrasted(tf.reduce_mean(z, axis=-1, keepdims=True)), side) for z in templates]
    channels = model.image_shape[-1]
    columns = [np.repeat(level, channels, axis=-1) for level in levels]
    columns += [pictures(rendered).numpy(), pictures(observed).numpy()]
    lines = np.stack(columns, axis=1)
    return generation.grid(lines.reshape(-1, *lines.shape[2:]), len(columns))


def _contrasted(maps):
    """Each map from 0 to 1."""
    low, high = (extreme(maps, axis=[1, 2, 3], keepdims=True) for extreme in (tf.reduce_min, tf.reduce_max))
    return (maps - low) / tf.maximum(high - low, 1e-12)


def _of_image_size(maps, side):
    return tf.image.resize(maps, side, method="nearest").numpy()


PANELS = Panels("inside", draw, rank=15)
