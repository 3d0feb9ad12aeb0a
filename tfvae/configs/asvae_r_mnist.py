"""AS-VAE-r on binarised MNIST: the first half of the objective, which reconstructs."""

from tfvae.configs import asvae_mnist


def get_config(size="full"):
    """Pu 2017, table 5.1 (81.14 nats); the rest, and the sizes, are those of `asvae_mnist`."""
    return asvae_mnist.get_config(size, half="r")
