"""DGDN on scikit-learn's 8×8 digits without a label, its codes drawn from a mixture: clusters in a minute."""

from tfvae.configs import dgdn_clusters_mnist, dgdn_digits


def get_config(size="full"):
    """Pu 2017, section 3.3.4, at the size of the data."""
    experiment, digits = dgdn_clusters_mnist.get_config(size), dgdn_digits.get_config(size)
    experiment.model.network, experiment.training = digits.model.network, digits.training
    experiment.training.monitor = "bound"
    experiment.data.source, experiment.data.name, experiment.data.num_validation = "digits", "", 100
    return experiment
