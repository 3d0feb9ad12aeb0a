"""AS-VAE on scikit-learn's 8×8 digits: --config.model.half=r and g for its halves."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import asvae
from tfvae.networks import critic, mlp


def get_config(size="full"):
    """Pu 2017, chapter 5, at the size of the data; `tiny` trains in seconds."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    width = (16,) if tiny else (200,)
    return Experiment(
        model=asvae.Config(
            latent_dim=4 if tiny else 10, network=mlp.Config(hidden=width),
            critic_network=critic.Config(hidden=width, joint=width), compile_step=not tiny,
        ),
        data=data.Config(source="digits", labelled_batch=0, transform=transforms.Config(noise="binarise")),
        training=settings.Config(epochs=2 if tiny else 300, learning_rate=1e-3, monitor="bound", figures_epochs=0),
    )  # fmt: skip
