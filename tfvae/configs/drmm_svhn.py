"""DRMM on SVHN with 1,000 labels."""

from tfvae.configs import drmm_cifar10


def get_config(size="full"):
    """Nguyen et al. 2016, table 3 (6.78 %): the network and the weights of CIFAR-10, without SVHN's extra images."""
    experiment = drmm_cifar10.get_config(size)
    data = experiment.data
    data.name, data.extra_split, data.labels_per_class, data.num_validation = "svhn_cropped", False, 100, 1000
    return experiment
