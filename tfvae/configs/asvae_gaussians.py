"""AS-VAE on points whose law is known: --config=tfvae/configs/asvae_gaussians.py:ring for eight Gaussians."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import asvae
from tfvae.networks import critic, linear, mlp


def get_config(size="full"):
    """Pu 2017, chapter 5: `full` is one Gaussian and linear maps, so that critics and equilibrium have closed forms.

    `ring` is eight Gaussians on a circle and multilayer perceptrons, on which adversarial learning loses modes.
    """
    check_size(size, "full", "ring", "tiny")
    ring, tiny = size == "ring", size == "tiny"
    network = mlp.Config(hidden=(64, 64), activation="tanh") if ring else linear.Config()
    return Experiment(
        model=asvae.Config(
            latent_dim=2, network=network, likelihood="gaussian",
            critic_network=critic.Config(hidden=(8,), joint=(8,)) if tiny else critic.Config(hidden=(64,), joint=(64,
            64)), critic_steps=1 if tiny else 2, compile_step=not tiny,
        ),
        data=data.Config(
            source="gaussians", name="ring" if ring else "", points_noise=0.2, num_validation=1000, labelled_batch=0,
            unlabelled_batch=200, transform=transforms.Config(scale="raw"),
        ),
        training=settings.Config(
            epochs=1 if tiny else 100, learning_rate=1e-3, decay="cosine", min_learning_rate=0.0, monitor="bound",
            figures_epochs=0,
        ),
    )  # fmt: skip
