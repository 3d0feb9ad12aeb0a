"""DRMM on your own folder of images: --config.data.path=photos/ (see docs/how_to/own_photographs.md)."""

from tfvae import settings
from tfvae.configs import drmm_mnist
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import drmm
from tfvae.networks import rendering


def get_config(size="full"):
    """Nguyen et al. 2016, with all labels that the folder has: four convolutions whose sides stay, with three poolings.

    Other sizes of images are as good: `--config.data.image_size=64`.
    """
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    widths = (4, 4, 5, 6) if tiny else (32, 64, 64, 128)
    return Experiment(
        model=drmm.Config(
            network=rendering.Config(filters=widths, kernels=(5, 3, 3, 3), paddings=("half",) * 4, blocks=(2, 2, 2, 1))
        ),
        data=data.Config(
            source="folder",
            labels_per_class=0,
            num_validation=100,
            labelled_batch=50,
            unlabelled_batch=50,
            image_size=32,
            transform=transforms.Config(flatten=False, translate=0 if tiny else 2),
        ),
        training=settings.Config(epochs=2) if tiny else drmm_mnist.adam(epochs=60),
    )
