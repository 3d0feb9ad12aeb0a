"""More unlabelled images beside a source, of its set or of another (Pu et al. 2016, "joint model with ImageNet")."""

import math

from tfvae.data import folder
from tfvae.data.examples import Examples, concatenate
from tfvae.data.sources import folder as sources


def added(source, config, known=None, report=sources.tell):
    """The source with the images of the folder `config.more_images` behind its training rows.

    They take the size and the colours of the source's own images; their labels, captions and splits are not used.

    Args:
        source: `tfvae.data.examples.Source`.
        config: `tfvae.data.load.Config`.
        known, report: as of `tfvae.data.sources.folder.load`.

    Raises:
        ValueError: for a folder that cannot be used or does not fit into memory, or a source whose rows are not square
            images.
    """
    if source.streamed.num or source.train.stored:
        raise ValueError(
            "`data.more_images` cannot be added to shards that stay in their files: ingest both folders as one, or "
            f"raise `data.max_memory_bytes`={config.max_memory_bytes}."
        )
    height, width, channels = (*source.train.image.shape[1:], 0, 0, 0)[:3]
    if height != width or channels not in (1, 3):
        raise ValueError(
            f"`data.more_images` needs square images of one or three channels beside it, the source has rows of shape "
            f"{source.train.image.shape[1:]}. Set `data.image_size`."
        )
    found = folder.survey(
        config.more_images,
        folder.Config(height, "gray" if channels == 1 else "rgb", config.max_pixels, 0.0, 0.0),
        known=known,
    )
    report(found, bool(found.rejects))
    needed = len(found.items) * math.prod(found.image_shape)
    if needed > config.max_memory_bytes:
        raise ValueError(
            f"The images of {config.more_images} need {needed:,} bytes, more than `data.max_memory_bytes` = "
            f"{config.max_memory_bytes:,}. Raise it, or ingest both folders as one."
        )
    unlabelled = Examples(folder.stack(found, found.items).image)
    files = {item.file: found.digests[item.file] for item in found.items}
    return source._replace(train=concatenate([source.train, unlabelled]), more_files=files)
