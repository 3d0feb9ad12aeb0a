"""What does a model make of one image for another? Grids of translations, several of a source, and of joint samples."""

import numpy as np
import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import generation

_SOURCES = 8
_DRAWS = 4
_SAMPLES = 16


def pictures(model, data, seed=0):
    """Grids to look at of a model that translates; {} of others.

    Args:
        model, data: the model and `tfvae.data.load.Data`; originals are validation rows, or test rows where there are
            none.
        seed: of every draw.

    Returns:
        name -> uint8 [H, W, C] of
        "translations_<a>_to_<b>": columns of an original a, its true partner b, the translation of the mean code, and
        translations of drawn codes;
        "unseen_translations_<a>_to_<b>": the same of test rows of classes that no training row has;
        "joint_samples": drawn examples, a column each, one image below the other.
    """
    if not model.can(Capability.TRANSLATE) or not generation.has_pictures(data) or len(data.transforms) < 2:
        return {}
    originals, grids = data.validation if len(data.validation) else data.test, {}
    unseen = data.test.take(np.flatnonzero(~np.isin(data.test.label, data.train.label)))
    names = list(data.transforms)
    for source, target in [(IMAGE, name) for name in names[1:]] + [(name, IMAGE) for name in names[1:]]:
        for prefix, rows in (("", originals), ("unseen_", unseen)):
            if len(rows):
                some = rows.take(np.arange(min(_SOURCES, len(rows))))
                grids[f"{prefix}translations_{source}_to_{target}"] = translations(
                    model, data, some, source, target, seed
                )
    grids["joint_samples"] = joint_samples(model, data, seed)
    return grids


def translations(model, data, rows, source, target, seed=0, draws=_DRAWS):
    """Columns of originals, their partners, and what the model makes of the originals: uint8 [H, W, C]."""
    translate, given = compiled(model, Capability.TRANSLATE), {source: tf.constant(data.observe(rows, name=source))}
    picture = data.transforms[target].picture
    lines = [data.transforms[source].picture(given[source]), picture(data.observe(rows, name=target))]
    lines.append(picture(translate(given, target)))
    lines += [picture(translate(given, target, noise.seed(seed, i))) for i in range(draws)]
    return _grid(lines)


def joint_samples(model, data, seed=0, num=_SAMPLES):
    """Examples from the prior, a column each: uint8 [H, W, C]."""
    drawn = compiled(model, Capability.SAMPLE_TOGETHER)(num, noise.seed(seed))
    return _grid([data.transforms[name].picture(images) for name, images in drawn.items()])


def _grid(lines):
    """Lines of images of several shapes, each in the middle of a cell that holds the largest."""
    lines = [np.asarray(line) for line in lines]
    height, width, channels = np.max([line.shape[1:] for line in lines], axis=0)
    return generation.grid(np.concatenate([_in_cell(line, height, width, channels) for line in lines]), len(lines[0]))


def _in_cell(images, height, width, channels):
    if images.shape[-1] != channels:
        images = np.repeat(images[..., :1], channels, axis=-1)
    spare = [(side - has) for side, has in zip((height, width), images.shape[1:3], strict=True)]
    around = [(n // 2, n - n // 2) for n in spare]
    return np.pad(images, [(0, 0), *around, (0, 0)], constant_values=1.0)
