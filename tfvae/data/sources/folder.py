"""A folder of images, read into memory as it is: for a few thousand images; `ingest` makes shards of more."""

import math

from absl import logging

from tfvae.data import entries, folder
from tfvae.data.examples import Source


def load(config):
    """The images of `config.path`.

    A tenth of every class is set apart for the test, where the folder names no test images itself; validation rows are
    those that it names, and otherwise left for the label split to draw.

    Args:
        config: `tfvae.data.load.Config`; `path`, `image_size`, `color_mode`, `max_memory_bytes` and, if it has one,
            `max_pixels` are used.

    Returns:
        `Source`.

    Raises:
        ValueError: for a folder that cannot be used or does not fit into memory.
    """
    if not config.path:
        raise ValueError("The source 'folder' needs `data.path`, the folder of the images.")
    max_pixels = config.max_pixels
    found = folder.survey(
        config.path, folder.Config(config.image_size, config.color_mode, max_pixels, validation_fraction=0.0)
    )
    (logging.warning if found.rejects else logging.info)("%s holds\n%s", config.path, found.summary())
    needed = sum(math.prod(found.shapes[name]) for item in found.items for name in item.files)
    if needed > config.max_memory_bytes:
        raise ValueError(
            f"The images of {config.path} need {needed:,} bytes, more than `max_memory_bytes` = "
            f"{config.max_memory_bytes:,}. Run ingest on the folder and train with the source 'shards'."
        )
    names = [entry.name for entry in entries.wanted(config)]
    rows = {split: _rows(found, split, names) for split in folder.SPLITS}
    return Source(
        train=rows["train"],
        test=rows["test"],
        class_names=found.class_names,
        validation=rows["validation"] if len(rows["validation"]) else None,
        names=found.names,
    )


def _rows(found, split, names):
    return folder.stack(found, [item for item in found.items if item.split == split], names)
