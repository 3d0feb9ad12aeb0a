"""Stein VAE for a known decoder of a mixture: --config=tfvae/configs/stein_vae_toy.py:wide for σ = 5."""

from tfvae.configs import vae_toy
from tfvae.models import stein


def get_config(size="full"):
    """Pu 2017, section 4.5.1 and figure 4.1; data, encoder and training are those of `vae_toy`."""
    experiment = vae_toy.get_config(size)
    experiment.model = stein.Config(
        latent_dim=2, network=experiment.model.network, likelihood="gaussian", num_samples=5 if size == "tiny" else 100
    )
    return experiment
