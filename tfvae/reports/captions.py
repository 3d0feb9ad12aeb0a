"""Images beside captions: those that a model writes, and images that it draws for them."""

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.batch import UNKNOWN
from tfvae.capabilities import Capability
from tfvae.evaluation import captioning
from tfvae.evaluation.batched import subset
from tfvae.evaluation.compiled import compiled
from tfvae.reports import figures


def examples(model, data, num=12, seed=0):
    """Held-out images with what the model says and what a person said, as PNG: {"captions"} for any that caption,
    {"images_from_captions"} for those that draw: the drawn image, its caption and the true image beside it.

    {} where there are no images with captions to show.
    """
    rows = captioning.captioned(data.validation)
    rows = rows if len(rows) else captioning.captioned(data.test)
    if not (model.can(Capability.CAPTION) and len(rows)):
        return {}
    rows = subset(rows, num, seed)
    shown = rows.image / 255.0  # As they are, whatever the transform leaves of them.
    true = [texts[0] for texts in rows.captions]
    made = {
        "captions": figures.captioned(
            shown, list(zip([text or "(no words)" for text in captioning.generate(model, data, rows)], true))
        )
    }
    if model.can(Capability.IMAGE_FROM_CAPTION):
        images = drawn(model, data, true)
        pairs = np.concatenate([images, np.ones_like(images[:, :, :2]), shown], axis=2)
        made["images_from_captions"] = figures.captioned(pairs, [("", text) for text in true])
    return made


def drawn(model, data, texts):
    """Pictures of the images that a model draws for captions: float32 [N, H, W, C] in [0, 1].

    Raises:
        ValueError: for a model that draws none, or a text without a word that it knows.
    """
    if not model.can(Capability.IMAGE_FROM_CAPTION):
        raise ValueError(
            "This model draws no images for captions: train one with `model.caption_encoder=True`, "
            "as the preset dgdn_flickr8k_images does."
        )
    ids = data.vocabulary.ids(list(texts))
    for text, row in zip(texts, ids):
        if not (row > UNKNOWN).any():
            raise ValueError(
                f"The model knows no word of the caption {text!r}; it has seen {_some(data.vocabulary)}, …."
            )
        if (row == UNKNOWN).any():
            logging.warning("The model does not know every word of the caption %r.", text)
    words = tf.constant(ids)
    return data.transform.picture(compiled(model, "image_from_caption")(words)).numpy()


def _some(vocabulary):
    """A few frequent words."""
    return ", ".join(vocabulary.words[2:12])
