"""DGDN on ImageNet 2012."""

from tfvae.configs import dgdn_caltech101
from tfvae.experiment import check_size
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, tables 1 (38.2 % top-1) and 5: five layers on images of 256×256.

    A batch has 4 + 4 images so that a step stays within 8 GB; the source's 64 take eight times that.
    """
    check_size(size, "full", "tiny")
    experiment = dgdn_caltech101.get_config(size)
    if size == "full":
        experiment.model.network = networks.Config((96, 256, 512, 1024, 512), (5, 5, 5, 5, 5), (4, 2, 2, 2))
        experiment.data.image_size = 256
    experiment.data.name, experiment.data.labels_per_class = "imagenet2012", 0
    experiment.data.labelled_batch = experiment.data.unlabelled_batch = 4
    return experiment
