"""AS-VAE-g on binarised MNIST: the second half of the objective, which generates."""

from tfvae.configs import asvae_mnist


def get_config(size="full"):
    """Pu 2017, table 5.1 (146.32 nats); the rest, and the sizes, are those of `asvae_mnist`."""
    return asvae_mnist.get_config(size, half="g")
