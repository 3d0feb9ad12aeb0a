"""DGDN for images and captions, Flickr30k: --config.data.path=flickr30k/ (images and results_20130124.token)."""

from tfvae.configs import dgdn_flickr8k


def get_config(size="full"):
    """Pu et al. 2016, tables 3 and 5: as Flickr8k, with more elements in the upper layers.

    Images are held in memory: all of the set at 256×256 are 6 GB and their copies in batches, so set
    `data.max_memory_bytes`, or a smaller `data.image_size`.
    """
    experiment = dgdn_flickr8k.get_config(size)
    if size == "full":
        experiment.model.network.elements = (48, 84, 128, 384, 256)
    return experiment
