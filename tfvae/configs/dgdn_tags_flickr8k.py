"""DGDN for images and tags, the nouns of Flickr8k's captions: --config.data.path=flickr8k/ (images and its lists)."""

from tfvae.configs import dgdn_flickr8k
from tfvae.experiment import check_size


def get_config(size="full"):
    """Pu 2017, section 3.3.3: elements of the top dictionary get words, here nouns that are said of 20 images or more.

    Layers are those of `dgdn_flickr8k` at the same size.
    """
    check_size(size, "full", "small", "tiny")
    experiment = dgdn_flickr8k.get_config(size)
    model, data, training = experiment.model, experiment.data, experiment.training
    data.tags.source, data.tags.min_count = "captions", 1 if size == "tiny" else 20
    data.batches, data.captioned_batch = {"tagged": data.captioned_batch}, 0
    model.caption_weight, model.tag_weight, training.monitor = 0.0, 1.0, "tag_map"
    return experiment
