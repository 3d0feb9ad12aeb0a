"""DRMM on CIFAR-10 with 4,000 labels."""

from tfvae.configs import drmm_rendered
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import drmm


def get_config(size="full"):
    """Nguyen et al. 2016, table 4 (21.50 %): ConvLarge; `small` is a third of its filters and Adam for few epochs."""
    check_size(size, "full", "small", "tiny")
    return Experiment(
        model=drmm.Config(
            network=drmm_rendered.network(size), reconstruction_weight=0.5, kl_weight=0.2, negativity_weight=0.5
        ),
        data=data.Config(
            source="tfds",
            name="cifar10",
            labels_per_class=400,
            num_validation=5000,
            labelled_batch=50,
            unlabelled_batch=50,
            transform=transforms.Config(flatten=False),
        ),
        training=drmm_rendered.training(size),
    )
