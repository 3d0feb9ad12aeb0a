"""Stein VIWAE on binarised MNIST."""

from tfvae.configs import stein_vae_mnist


def get_config(size="full"):
    """Pu 2017, section 4.5.2 and table 4.1 (83.01 nats): as Stein VAE, particles weighted by p(x, z) / q(z).

    The source weighs k = 50 draws within each of M = 100 particles; here the M particles of an image are weighted.
    """
    experiment = stein_vae_mnist.get_config(size)
    experiment.model.inference = "stein_importance"
    if size != "tiny":
        experiment.model.num_samples = 50
    return experiment
