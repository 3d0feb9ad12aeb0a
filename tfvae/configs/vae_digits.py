"""VAE on scikit-learn's 8×8 digits, without labels."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import vae
from tfvae.networks import mlp


def get_config(size="full"):
    """Kingma & Welling 2013, at the size of the data; `tiny` trains in seconds."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=vae.Config(latent_dim=4 if tiny else 10, network=mlp.Config(hidden=(16,) if tiny else (200,))),
        data=data.Config(source="digits", labelled_batch=0, transform=transforms.Config(noise="binarise")),
        training=settings.Config(epochs=2 if tiny else 200, learning_rate=1e-3, monitor="bound"),
    )
