"""DGDN for images and captions, Flickr30k: --config.data.path=flickr30k/ (images and results_20130124.token)."""

from tfvae.configs import dgdn_flickr8k


def get_config(size="full"):
    """Pu et al. 2016, tables 3 and 5: as Flickr8k, with more elements in the upper layers."""
    experiment = dgdn_flickr8k.get_config(size)
    if size == "full":
        experiment.model.network.elements = (48, 84, 128, 384, 256)
    return experiment
