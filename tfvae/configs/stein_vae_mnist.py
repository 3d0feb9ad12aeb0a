"""Stein VAE on binarised MNIST."""

from tfvae.configs import vae_mnist
from tfvae.models import stein
from tfvae.networks import mlp


def get_config(size="full"):
    """Pu 2017, section 4.5.2 and table 4.1 (85.21 nats): 50 latents, 200 and 200 tanh units, M = 100, batches of 64.

    Adam at 2e-4 as printed; `small` is ten epochs at 1e-3. Data and binarisation are those of `vae_mnist`.
    """
    experiment = vae_mnist.get_config(size)
    tiny = size == "tiny"
    experiment.model = stein.Config(
        latent_dim=6 if tiny else 50,
        network=mlp.Config(hidden=(16, 16) if tiny else (200, 200), activation="tanh"),
        num_samples=5 if tiny else 100,
    )
    experiment.data.unlabelled_batch = 64
    experiment.training.decay_factor = 1.0
    if size == "full":
        experiment.training.learning_rate, experiment.training.patience = 2e-4, 20
    elif size == "small":
        experiment.training.epochs = 10
    return experiment
