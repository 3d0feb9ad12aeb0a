"""ADGM with a deterministic auxiliary variable on MNIST with 100 labels."""

from tfvae.configs import adgm_mnist


def get_config(size="full"):
    """Maaløe et al. 2016, figure 5: is it the noise of a that helps, or the depth?"""
    experiment = adgm_mnist.get_config(size)
    experiment.model.auxiliary = "deterministic"
    return experiment
