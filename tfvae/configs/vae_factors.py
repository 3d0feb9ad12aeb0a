"""Poisson factor analysis of word counts, its factor scores inferred by a Gaussian."""

from tfvae.configs import vae_newsgroups
from tfvae.experiment import check_size
from tfvae.networks import poisson


def get_config(size="full"):
    """Pu 2017, section 4.5.1: 128 topics, 100 hidden units; q(z | x) is Gaussian, the scores are softplus(z).

    `--config.model.network.loadings` names an .npy of topics that stay as they are, as those of a Gibbs sampler do;
    without it they are learned. `small` has 32 topics.
    """
    check_size(size, "full", "small", "tiny")
    experiment = vae_newsgroups.get_config(size)
    experiment.model.latent_dim = {"tiny": 4, "small": 32}.get(size, 128)
    experiment.model.network = poisson.Config(hidden=(16,) if size == "tiny" else (100,), layers=())
    return experiment
