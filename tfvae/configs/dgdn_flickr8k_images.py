"""DGDN that draws images for captions: --config.data.path=flickr8k/ (images, Flickr8k.token.txt and its lists)."""

from tfvae.configs import dgdn_flickr8k
from tfvae.experiment import check_size
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu 2017, section 3.5.6: three layers on 64×64, q(s | Y) by a GRU whose KL rises to its weight; retrieval too."""
    check_size(size, "full", "small", "tiny")
    experiment = dgdn_flickr8k.get_config(size)
    if size == "full":
        experiment.model.network = networks.Config((24, 160, 160), (6, 6, 5), (2, 2))
        experiment.data.image_size, experiment.data.captioned_batch = 64, 64
    experiment.model.caption_encoder = True
    experiment.model.caption_kl_warmup_steps = {"full": 10_000, "small": 500, "tiny": 2}[size]
    experiment.training.monitor = "bound"
    return experiment
