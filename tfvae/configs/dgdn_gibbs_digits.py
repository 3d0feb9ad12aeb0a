"""DGDN on scikit-learn's 8×8 digits without a recognition model, by Gibbs sampling: no download."""

from tfvae.configs import dgdn_gibbs_mnist
from tfvae.networks import dgdn as networks

# Training rows, which a sweep has all of.
NUM_ROWS = 1197


def get_config(size="full"):
    """Pu 2017, section 3.4.1, at the size of the data, all labels."""
    experiment = dgdn_gibbs_mnist.get_config(size)
    on_digits(experiment, size)
    if size == "full":
        model, training = experiment.model, experiment.training
        model.burn_in, model.thinning, model.kept, model.ramp_steps = 60, 10, 6, 20
        training.epochs, training.steps_per_epoch = 6, 20
    return experiment


def on_digits(experiment, size):
    """The data, all 1,197 training rows and their labels, and a network of their size."""
    data = experiment.data
    data.source, data.name, data.num_validation = "digits", "", 100
    if size == "full":
        experiment.model.network = networks.Config((8, 16), (3, 2), (2,), zero_blocks=True)
        data.labels_per_class, data.labelled_batch = 0, NUM_ROWS
