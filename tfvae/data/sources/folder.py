"""A folder of images, read into memory as it is: for a few thousand images; `ingest` makes shards of more."""

import itertools
import math

from absl import logging

from tfvae.data import entries, folder, split
from tfvae.data.examples import Source


def tell(found, warned):
    """Logs what a folder was found to hold."""
    (logging.warning if warned else logging.info)("%s holds\n%s", found.root, found.summary())


def load(config, known=None, report=tell):
    """The images of `config.path`.

    A tenth of every class is set apart for the test, where the folder names no test images itself; validation rows are
    those that it names, and otherwise left for the label split to draw.

    Args:
        config: `tfvae.data.load.Config`; `path`, `image_size`, `color_mode`, `max_memory_bytes`, `max_pixels`,
            `modalities`, `num_validation` and what names entries are used.
        known: file -> sha256, of the images that a run began with; None for all that there are.
        report: called with the `Folder`, validation rows as they are drawn, and whether a user should look at it.

    Returns:
        `Source`.

    Raises:
        ValueError: for a folder that cannot be used or does not fit into memory.
    """
    if not config.path:
        raise ValueError("The source 'folder' needs `data.path`, the folder of the images.")
    max_pixels = config.max_pixels
    found = folder.survey(
        config.path,
        folder.Config(
            config.image_size, config.color_mode, max_pixels, validation_fraction=0.0, modalities=config.modalities
        ),
        known=known,
    )
    if not any(item.split == "train" for item in found.items):
        raise ValueError(
            f"{config.path} has no image to train on: all are of the splits {sorted({i.split for i in found.items})}. "
            "Add some to `train`."
        )
    needed = sum(math.prod(found.shapes[name]) for item in found.items for name in item.files)
    if needed > config.max_memory_bytes:
        raise ValueError(
            f"The images of {config.path} need {needed:,} bytes, more than `max_memory_bytes` = "
            f"{config.max_memory_bytes:,}. Run ingest on the folder and train with the source 'shards'."
        )
    names = [entry.name for entry in entries.wanted(config)]
    rows = {role: _rows(found, role, names) for role in folder.SPLITS}
    source = Source(
        train=rows["train"],
        test=rows["test"],
        class_names=found.class_names,
        validation=rows["validation"] if len(rows["validation"]) else None,
        names=found.names,
        files={file: found.digests[file] for item in found.items for file in item.files.values()},
    )
    report(_as_drawn(found, source, config), bool(found.rejects or found.findings))
    return source


def _as_drawn(found, source, config):
    """The folder with the validation rows that the split draws, so that its numbers are those of the training."""
    drawn = set(split.validation(source, config).tolist())
    number = itertools.count()
    items = [
        item._replace(split="validation") if item.split == "train" and next(number) in drawn else item
        for item in found.items
    ]
    return found._replace(items=items)


def _rows(found, role, names):
    return folder.stack(found, [item for item in found.items if item.split == role], names)
