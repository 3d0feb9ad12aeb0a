"""AS-VAE on the Frey faces, 28×20: --config.data.path=frey_faces.npz."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import asvae
from tfvae.networks import asvae as networks
from tfvae.networks import critic


def get_config(size="full"):
    """Pu 2017, chapter 5, on 1,965 frames of one face; `images` of a file of NumPy, gray levels dequantised."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    sizes = {"filters": (3, 4), "hidden": (8,), "joint": (8,)} if tiny else {"filters": (16, 32)}
    return Experiment(
        model=asvae.Config(
            latent_dim=4 if tiny else 20,
            network=networks.Config(filters=(3, 4)) if tiny else networks.Config(filters=(16, 32), hidden=(200,)),
            likelihood="gaussian",
            critic_network=critic.Config(**sizes),
        ),
        data=data.Config(
            source="arrays",
            num_validation=150,
            labelled_batch=0,
            unlabelled_batch=50,
            transform=transforms.Config(noise="dequantise", flatten=False),
        ),
        training=settings.Config(
            epochs=1 if tiny else 100, learning_rate=1e-3, decay="cosine", min_learning_rate=0.0, clip_norm=100.0,
            monitor="bound",
        ),
    )  # fmt: skip
