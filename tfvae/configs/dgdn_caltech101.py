"""DGDN on Caltech 101."""

from tfvae.configs import dgdn_cifar10
from tfvae.experiment import check_size
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, tables 1 (11.99 %) and 5: images of 128×128, 30 labels a class, local contrast normalisation.

    Blocks of 4×4 do not tile the 122×122 maps of 7×7 filters: the encoder pads by one pixel all round. A step of the
    `full` model takes about 2 GB.
    """
    check_size(size, "full", "tiny")
    experiment = dgdn_cifar10.get_config(size)
    if size == "full":
        experiment.model.network = networks.Config(elements=(48, 84, 84), sizes=(7, 5, 5), pooling=(4, 2))
        experiment.data.image_size = 128
    experiment.data.name = "caltech101"
    experiment.data.labels_per_class = 30
    experiment.data.num_validation = 200
    experiment.data.labelled_batch = experiment.data.unlabelled_batch = 32
    transform = experiment.data.transform
    transform.contrast, transform.whiten, transform.translate, transform.flip = "local", False, 0, False
    return experiment
