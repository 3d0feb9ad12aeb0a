"""ADGM on two half-moons with 6 labels."""

from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import auxiliary
from tfvae.networks import mlp
from tfvae.training import settings


def get_config(size="full"):
    """Maaløe et al. 2016, section 4.2 and figure 2c: two hidden layers of 100, dim(a, z) = 10, 10 epochs."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=auxiliary.Config(
            latent_dim=10,
            auxiliary_dim=10,
            network=mlp.Config(hidden=(16, 16) if tiny else (100, 100)),
            likelihood="gaussian",
            beta=0.1,
        ),
        data=data.Config(
            source="moons",
            labels_per_class=3,
            num_validation=1000,
            labelled_batch=6,
            unlabelled_batch=100,
            transform=transforms.Config(scale="raw"),
        ),
        training=settings.Config(epochs=1 if tiny else 10),
    )
