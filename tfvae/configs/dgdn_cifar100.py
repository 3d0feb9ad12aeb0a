"""DGDN on CIFAR-100."""

from tfvae.configs import dgdn_cifar10


def get_config(size="full"):
    """Pu et al. 2016, tables 1 (35.01 %) and 5: the settings of CIFAR-10."""
    experiment = dgdn_cifar10.get_config(size)
    experiment.data.name = "cifar100"
    return experiment
