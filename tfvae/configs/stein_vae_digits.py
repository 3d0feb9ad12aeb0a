"""Stein VAE on scikit-learn's 8×8 digits with 10 labels a class."""

from tfvae.configs import sdgm_digits
from tfvae.experiment import check_size
from tfvae.models import stein
from tfvae.networks import mlp


def get_config(size="full"):
    """Pu 2017, section 4.5.3, at the size of the data: a label decoder on the code, weighted by ζ = N_x / (C ρ)."""
    check_size(size, "full", "tiny")
    experiment = sdgm_digits.get_config(size)
    tiny = size == "tiny"
    experiment.model = stein.Config(
        latent_dim=4 if tiny else 10,
        network=mlp.Config(hidden=(16, 16) if tiny else (200, 200), activation="softplus"),
        num_samples=5 if tiny else 30,
        label_weight=1.0,
    )
    return experiment
