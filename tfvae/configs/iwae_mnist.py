"""IWAE on binarised MNIST."""

from tfvae.configs import vae_mnist


def get_config(size="full"):
    """Burda et al. 2016, table 1, with 50 samples: the network and training of `vae_mnist`."""
    experiment = vae_mnist.get_config(size)
    experiment.model.bound = "importance"
    experiment.model.num_samples = 5 if size == "tiny" else 50
    return experiment
