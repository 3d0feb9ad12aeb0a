"""The image model of DGDN for Flickr8k, from a folder of photographs: --config.data.path=photos/."""

from tfvae.configs import dgdn_caltech101
from tfvae.experiment import check_size
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, table 5: five layers on photographs of 256×256, without labels.

    A batch has 16 images so that a step stays within 8 GB; the source's 64 take four times that.
    """
    check_size(size, "full", "tiny")
    experiment = dgdn_caltech101.get_config(size)
    if size == "full":
        experiment.model.network = networks.Config((48, 84, 128, 192, 128), (5, 5, 5, 5, 5), (4, 2, 2, 2))
        experiment.data.image_size = 256
    experiment.model.label_weight, experiment.training.monitor = 0.0, "bound"
    experiment.data.source, experiment.data.name, experiment.data.color_mode = "folder", "", "rgb"
    experiment.data.labels_per_class, experiment.data.labelled_batch, experiment.data.unlabelled_batch = 0, 0, 16
    return experiment
