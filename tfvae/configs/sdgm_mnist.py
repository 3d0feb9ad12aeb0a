"""SDGM on MNIST with 100 labels."""

from tfvae.configs import adgm_mnist


def get_config(size="full"):
    """Maaløe et al. 2016, table 1 (1.32 %): the ADGM's settings, x depending on a as well."""
    experiment = adgm_mnist.get_config(size)
    experiment.model.skip = True
    return experiment
