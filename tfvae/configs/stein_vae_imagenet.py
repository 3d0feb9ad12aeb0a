"""Stein VAE on ImageNet 2012, residual networks."""

from tfvae.configs import dgdn_imagenet
from tfvae.experiment import check_size
from tfvae.models import stein
from tfvae.networks import residual


def get_config(size="full"):
    """Pu 2017, section 4.5.3 and table 4.5: M = 20; 36.44 % with 1 % of the labels to 58.17 % with 40 %.

    Images are resized to 224×224, moved by up to 16 pixels and mirrored in training, where the source crops 256×256;
    the mean is taken off and the deviation divided out by channel. The code is a map of 7×7 with
    `network.code_channels`. A batch has 4 + 4 images.
    """
    check_size(size, "full", "tiny")
    experiment = dgdn_imagenet.get_config(size)
    tiny = size == "tiny"
    network = residual.Config((4, 6), 1, 3, 2, code_channels=1, label_units=8) if tiny else residual.Config()
    experiment.model = stein.Config(
        latent_dim=4 if tiny else 7 * 7 * network.code_channels,
        network=network,
        likelihood="gaussian",
        num_samples=3 if tiny else 20,
        label_weight=1.0,
    )
    if not tiny:
        experiment.data.image_size = 224
    transform = experiment.data.transform
    transform.contrast, transform.scale, transform.translate, transform.flip = "none", "standardise", 16, True
    return experiment
