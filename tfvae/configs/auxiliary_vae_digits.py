"""Auxiliary VAE on scikit-learn's 8×8 digits, without labels."""

from tfvae.configs import vae_digits
from tfvae.models import auxiliary_vae


def get_config(size="full"):
    """Maaløe et al. 2016, section 2.2: `vae_digits` with a non-Gaussian q(z | x)."""
    experiment = vae_digits.get_config(size)
    plain = experiment.model
    experiment.model = auxiliary_vae.Config(
        latent_dim=plain.latent_dim, auxiliary_dim=plain.latent_dim, network=plain.network
    )
    return experiment
