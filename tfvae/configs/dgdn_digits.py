"""DGDN on scikit-learn's 8×8 digits with 10 labels a class: trains in a minute, on data that come along."""

from tfvae.configs import dgdn_mnist
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, section 5.2, at the size of the data."""
    experiment = dgdn_mnist.get_config(size)
    if size == "full":
        experiment.model.network = networks.Config(elements=(20, 40), sizes=(3, 3), pooling=(2,))
        experiment.training.epochs, experiment.training.learning_rate, experiment.training.figures_epochs = 60, 2e-3, 30
    experiment.data.source, experiment.data.name, experiment.data.num_validation = "digits", "", 100
    return experiment
