"""Poisson factor analysis of word counts, its factor scores inferred by Stein's direction."""

from tfvae.configs import stein_vae_newsgroups, vae_factors


def get_config(size="full"):
    """Pu 2017, section 4.5.1 and figure 4.2; data, topics and training are those of `vae_factors`."""
    return stein_vae_newsgroups.with_stein(vae_factors.get_config(size), {"tiny": 5, "small": 50}.get(size, 100))
