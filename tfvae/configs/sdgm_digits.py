"""SDGM on scikit-learn's 8×8 digits with 10 labels a class."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import adgm
from tfvae.networks import mlp


def get_config(size="full"):
    """Maaløe et al. 2016, section 2.4, at the size of the data; `tiny` trains in seconds."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=adgm.Config(
            latent_dim=4 if tiny else 20,
            auxiliary_dim=4 if tiny else 20,
            network=mlp.Config(hidden=(16, 16) if tiny else (200, 200), batch_norm=True, output_init="small"),
            skip=True,
            beta=0.1,
        ),
        data=data.Config(source="digits", transform=transforms.Config(noise="binarise")),
        training=settings.Config(
            epochs=2 if tiny else 120, learning_rate=1e-3, figures_epochs=50, checkpoint_epochs=1 if tiny else 10
        ),
    )
