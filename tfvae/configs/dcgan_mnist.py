"""DCGAN on MNIST, with the networks of an AS-VAE."""

from tfvae.configs import asvae_mnist
from tfvae.experiment import check_size
from tfvae.models import dcgan


def get_config(size="full"):
    """Radford et al. 2016, as Pu 2017, section 5.3 has it: "based on similar network architectures"; gray pixels.

    Adam has the 0.9 of all models here, where Radford et al. have 0.5.
    """
    check_size(size, "full", "small", "tiny")
    experiment = asvae_mnist.get_config(size)
    model = experiment.model
    experiment.model = dcgan.Config(model.latent_dim, model.network, critic_network=model.critic_network)
    experiment.data = asvae_mnist.mnist(noise="none")
    experiment.training.monitor = "sample_distance"
    return experiment
