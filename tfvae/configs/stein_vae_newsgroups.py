"""Stein VAE of word counts: 20 Newsgroups, or any collection in `--config.data.path`."""

from tfvae.configs import vae_newsgroups
from tfvae.models import stein


def get_config(size="full"):
    """Pu 2017, section 4.5.2 and table 4.2 (849 perplexity): a three-layer deep Poisson network, M = 100.

    Data, network and training are those of `vae_newsgroups`; `small` has twenty particles.
    `--config.model.inference=stein_importance` is Stein VIWAE (837).
    """
    return with_stein(vae_newsgroups.get_config(size), {"tiny": 5, "small": 20}.get(size, 100))


def with_stein(experiment, num_samples):
    """The experiment of a VAE of word counts, its Gaussian q(z | x) replaced by so many particles."""
    gaussian = experiment.model
    experiment.model = stein.Config(
        latent_dim=gaussian.latent_dim,
        network=gaussian.network,
        likelihood="poisson",
        prior_variance=0.0,  # Topics are far from uniform, where a Gaussian on their logits would draw them.
        num_samples=num_samples,
    )
    return experiment
