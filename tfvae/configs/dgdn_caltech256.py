"""DGDN on Caltech 256, from a folder with a folder for every class: --config.data.path=256_ObjectCategories/."""

from tfvae.configs import dgdn_caltech101


def get_config(size="full"):
    """Pu et al. 2016, tables 1 (29.33 %) and 5: as Caltech 101, with 128 elements and 60 labels a class."""
    experiment = dgdn_caltech101.get_config(size)
    if size == "full":
        experiment.model.network.elements = (48, 128, 128)
    experiment.data.source, experiment.data.name = "folder", ""
    experiment.data.labels_per_class = 60
    return experiment
