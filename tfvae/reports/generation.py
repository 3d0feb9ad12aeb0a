"""What does the model imagine? Grids of samples, reconstructions and analogies."""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation.batched import subset
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise

_SAMPLES = 64
_COLUMNS = 8
_ANALOGIES = 8
_CLASS_SAMPLES = 8
_COMPLETION_STEPS = 20
_ELEMENTS = 100
_MEAN_OF = 500  # Training rows that stand for all of them.


def pictures(model, data, seed=0):
    """Grids to look at, for whatever the model can do.

    Args:
        model, data: the model and `tfvae.data.load.Data`; originals are validation rows, or
            test rows where there are none.
        seed: of every draw; equal seeds give equal pictures.

    Returns:
        name -> uint8 [H, W, C] of
        "samples": p(x | z) at draws from the prior;
        "reconstructions": rows of originals, each above its reconstructions;
        "analogies": first column an original, then its style in every class (Maaløe et al. 2016, figure 3a);
        "class_samples": a column for every class, the style of a row shared (figure 3b).
        these two for class-conditional models only;
        "completions": originals, their left half, and what the model makes of the missing one;
        "elements<l>": the dictionary of layer l, for models that have dictionaries.
        Nothing exists for data that are not images.
    """
    if not has_pictures(data):
        return {}
    originals = data.validation if len(data.validation) else data.test
    grids = {"samples": grid(sampled(model, data, _SAMPLES, seed), _COLUMNS)}
    reconstructs = model.can(Capability.RECONSTRUCT) and len(originals)
    if reconstructs:
        grids["reconstructions"] = reconstructions(model, data, originals.take(np.arange(min(32, len(originals)))))
    if model.can(Capability.ANALOGIES):
        if len(originals):
            grids["analogies"] = analogies(model, data, one_of_each_class(originals, model.num_classes))
        grids["class_samples"] = class_samples(model, data, seed)
    if reconstructs and len(model.image_shape) == 3:
        grids["completions"] = completions(model, data, originals.take(np.arange(min(_COLUMNS, len(originals)))))
    if model.can(Capability.DICTIONARY):
        for layer in range(len(model.deconvnet.levels)):
            grids[f"elements{layer + 1}"] = elements(model, layer)
    return grids


def has_pictures(data):
    """Whether the rows are images [H, W, C], rather than points or nothing at all."""
    return len(data.transform.raw_shape) == 3 and min(data.transform.raw_shape) > 0


def sampled(model, data, num, seed=0, label=None):
    """Pictures of `num` samples, float32 [num, H, W, C] in [0, 1]; of one class where `label` is an integer.

    Raises:
        ValueError: for a label the model has not, or data that are not images.
    """
    if not has_pictures(data):
        raise ValueError(f"The data are no images (rows have shape {data.transform.raw_shape}): nothing to draw.")
    options = {}
    if label is not None:
        if not model.can(Capability.ANALOGIES):
            raise ValueError(f"{type(model).__name__} has no classes to sample from: leave out the label.")
        if not 0 <= label < model.num_classes:
            raise ValueError(f"`label` must lie in 0 to {model.num_classes - 1}, got {label}.")
        options["label"] = tf.constant(label, tf.int32)  # A tensor, so that every class shares one trace.
    drawn = compiled(model, "sample")(num, noise.seed(seed), **options)
    return data.transform.picture(drawn).numpy()


def reconstructions(model, data, rows, columns=_COLUMNS):
    """Lines of originals, each above its reconstructions: uint8 [H, W, C]."""
    observed = data.observe(rows)
    original = data.transform.picture(observed).numpy()
    reconstruction = data.transform.picture(compiled(model, "reconstruct")(observed)).numpy()
    lines = []
    for start in range(0, len(rows), columns):
        for images in (original, reconstruction):
            line = images[start : start + columns]
            blank = np.ones((columns - len(line), *line.shape[1:]), line.dtype)
            lines.append(np.concatenate([line, blank]))
    return grid(np.concatenate(lines), columns)


def analogies(model, data, rows):
    """A line for every row: the original, then its style in every class: uint8 [H, W, C]."""
    observed = data.observe(rows)
    original = data.transform.picture(observed).numpy()[:, None]  # [B, 1, H, W, C]
    changed = compiled(model, "analogies")(observed)  # [B, K, ...]
    flat = tf.reshape(changed, [-1, *model.image_shape])
    changed = data.transform.picture(flat).numpy().reshape(len(rows), -1, *original.shape[2:])
    lines = np.concatenate([original, changed], axis=1)
    return grid(lines.reshape(-1, *original.shape[2:]), lines.shape[1])


def class_samples(model, data, seed=0, num=_CLASS_SAMPLES):
    """A line for every draw of z, a column for every class: uint8 [H, W, C]."""
    # One seed for all classes: a line then shares its z, so only the class differs along it.
    columns = [sampled(model, data, num, seed, label) for label in range(model.num_classes)]
    lines = np.stack(columns, axis=1)  # [num, K, H, W, C]
    return grid(lines.reshape(-1, *lines.shape[2:]), model.num_classes)


def completions(model, data, rows, num_steps=_COMPLETION_STEPS):
    """Lines of originals, of their left halves, and of the whole that the model makes of these: uint8 [H, W, C].

    The missing half starts as the mean of the training images and is replaced by that of the reconstruction, again and
    again: the mode of a Markov chain that leaves p(missing | observed) invariant where q is the posterior (Rezende et
    al. 2014, appendix F). Pu 2017, figures 3.5 and 3.8.
    """
    original = tf.constant(data.observe(rows))
    known = tf.cast(tf.range(original.shape[2]) < original.shape[2] // 2, tf.float32)[None, None, :, None]
    usual = tf.reduce_mean(data.observe(subset(data.train, _MEAN_OF)), axis=0, keepdims=True)
    reconstruct = compiled(model, "reconstruct")
    whole = known * original + (1.0 - known) * usual
    for _ in range(num_steps):
        whole = known * original + (1.0 - known) * reconstruct(whole)
    shown = [data.transform.picture(images).numpy() for images in (original, known * original, whole)]
    return grid(np.concatenate(shown), len(rows))


def elements(model, layer, at_most=_ELEMENTS):
    """Dictionary elements of a layer (from 0) in the image plane, gray where they add nothing: uint8 [H, W, C]."""
    drawn = model.dictionary_elements(layer)[:at_most].numpy()
    drawn /= 2.0 * np.maximum(np.abs(drawn).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    return grid(0.5 + drawn, 10)


def one_of_each_class(rows, num_classes, at_most=_ANALOGIES):
    """The first row of every class, in the order of the classes; the first rows where there are no labels."""
    firsts = [np.flatnonzero(rows.label == k)[:1] for k in range(num_classes)]
    chosen = np.concatenate([np.zeros(0, int), *firsts])
    if not len(chosen) or (rows.label == NO_LABEL).all():
        chosen = np.arange(min(at_most, len(rows)))
    return rows.take(chosen[: max(at_most, num_classes)])


def grid(images, columns, gap=1):
    """Images in lines of `columns`, a white gap between them, the last line filled up with white.

    Args:
        images: [N, H, W, C], floats in [0, 1] or uint8. One or three channels stay; any other number is shown as
            so many gray images side by side (the stereo pairs of NORB have two).
        columns: images in a line.
        gap: pixels between images.

    Returns:
        uint8 [lines * (H + gap) + gap, columns * (W + gap) + gap, 1 or 3].

    Raises:
        ValueError: for images that are none, or no column.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images) or columns < 1:
        raise ValueError(f"A grid needs images [N, H, W, C] and a column, got shape {images.shape}, {columns} columns.")
    if images.dtype != np.uint8:
        images = np.round(255.0 * np.clip(np.nan_to_num(images), 0.0, 1.0)).astype(np.uint8)
    if images.shape[-1] not in (1, 3):
        images = np.concatenate(np.split(images, images.shape[-1], axis=-1), axis=2)
    num, height, width, channels = images.shape
    lines = -(-num // columns)
    canvas = np.full((lines * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        canvas[top : top + height, left : left + width] = image
    return canvas


def png(picture, min_width=0):
    """A uint8 picture [H, W, C] as PNG bytes, enlarged by a whole factor to at least `min_width` pixels."""
    factor = max(1, -(-min_width // picture.shape[1]))
    enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    return tf.io.encode_png(enlarged).numpy()
