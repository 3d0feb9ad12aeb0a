"""TensorBoard's embedding projector: codes of all images with their classes, their parts in the run, and pictures."""

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorboard.plugins import projector

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import representation
from tfvae.reports import generation, roles
from tfvae.storage import atomic

_OF_ROLE = 1000
_SHEET = 8192  # Pixels of a side: what browsers draw.


def write(log_dir, model, data):
    """Writes codes, metadata (`class`, `part`) and sprites of rows of every role; nothing is chosen by what it shows.

    Nothing is written for a model without a code, or without rows.
    """
    rows, parts = roles.together(data, _OF_ROLE)
    if not (model.can(Capability.ENCODE) and len(rows)):
        return
    atomic.write_bytes(log_dir / "labels.tsv", metadata(rows, parts, data.class_names).encode())
    config = projector.ProjectorConfig()
    pictured = generation.has_pictures(data)
    if pictured:
        sheet, height, width = sprites(rows.image)
        atomic.write_bytes(log_dir / "sprites.png", tf.io.encode_png(sheet).numpy())
    for name, codes in _codes(model, data, rows).items():
        path = f"{name}.tsv"
        atomic.write_bytes(log_dir / path, _table(codes).encode())
        embedding = config.embeddings.add(tensor_name=name, tensor_path=path, metadata_path="labels.tsv")
        if pictured:
            embedding.sprite.image_path = "sprites.png"
            embedding.sprite.single_image_dim.extend([width, height])
    projector.visualize_embeddings(str(log_dir), config)


def _codes(model, data, rows):
    """Name -> codes [N, Z]; of an auxiliary variable too."""
    found = {"codes": representation.codes(model, data, rows)}
    if model.can(Capability.ENCODE_AUXILIARY):
        found["auxiliary_codes"] = representation.auxiliary_codes(model, data, rows)
    return found


def _table(codes):
    return "".join("\t".join(f"{value:.6g}" for value in code) + "\n" for code in codes)


def metadata(rows, parts, class_names):
    """A table with a head: the class by its name, "?" where none is known, and the part in the run."""
    names = [_cell(class_names[label]) if label != NO_LABEL else "?" for label in rows.label]
    return "class\tpart\n" + "".join(f"{name}\t{part}\n" for name, part in zip(names, parts, strict=True))


def _cell(name):
    """A name without what would end its cell."""
    return " ".join(str(name).split()) or "?"


def sprites(image):
    """One square sheet of all images, in rows, and the size of each of them.

    Args:
        image: uint8 [N, H, W, C]; smaller ones where the sheet would be larger than a browser draws, and of channels
            that are no picture so many gray ones side by side.

    Returns:
        uint8 [side·H, side·W, 1 or 3], H, W.
    """
    side = int(np.ceil(np.sqrt(len(image))))
    drawn = np.stack([generation.grid(each[None], 1, gap=0) for each in image])
    drawn = _shrunk(drawn, max(1, _SHEET // side))
    height, width, channels = drawn.shape[1:]
    sheet = np.zeros([side * side, height, width, channels], np.uint8)
    sheet[: len(drawn)] = drawn
    sheet = sheet.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(side * height, side * width, channels), height, width


def _shrunk(images, longest):
    """The images, at most so long."""
    if max(images.shape[1:3]) <= longest:
        return images
    scale = longest / max(images.shape[1:3])
    size = tuple(max(1, int(scale * length)) for length in (images.shape[2], images.shape[1]))
    resized = [np.asarray(Image.fromarray(each.squeeze()).resize(size, Image.Resampling.BOX)) for each in images]
    return np.stack(resized).reshape(len(images), size[1], size[0], images.shape[-1])
