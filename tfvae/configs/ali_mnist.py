"""Adversarially learned inference on binarised MNIST."""

from tfvae.configs import asvae_mnist
from tfvae.experiment import check_size
from tfvae.models import ali


def get_config(size="full"):
    """Dumoulin et al. 2017, on the networks and with the settings of `asvae_mnist`, q(z | x) a diagonal Gaussian."""
    check_size(size, "full", "small", "tiny")
    experiment = asvae_mnist.get_config(size)
    model = experiment.model
    experiment.model = ali.Config(model.latent_dim, model.network, critic_network=model.critic_network)
    experiment.training.monitor = "reconstruction_error"
    return experiment
