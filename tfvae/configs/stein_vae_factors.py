"""Poisson factor analysis of word counts, its factor scores inferred by Stein's direction."""

from tfvae.configs import vae_factors
from tfvae.models import stein


def get_config(size="full"):
    """Pu 2017, section 4.5.1 and figure 4.2; data, topics and training are those of `vae_factors`."""
    experiment = vae_factors.get_config(size)
    gaussian = experiment.model
    experiment.model = stein.Config(
        latent_dim=gaussian.latent_dim,
        network=gaussian.network,
        likelihood="poisson",
        prior_variance=0.0,  # Topics are far from uniform, where a Gaussian on their logits would draw them.
        num_samples={"tiny": 5, "small": 50}.get(size, 100),
    )
    return experiment
