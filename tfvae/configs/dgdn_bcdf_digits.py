"""DGDN on scikit-learn's 8×8 digits, by Bayesian conditional density filtering: no download."""

from tfvae.configs import dgdn_bcdf_mnist, dgdn_gibbs_digits
from tfvae.models import dgdn_sampled


def get_config(size="full"):
    """Pu 2017, section 3.4.1, at the size of the data, all labels."""
    return in_minibatches(dgdn_gibbs_digits.get_config(size), dgdn_sampled.BcdfConfig, size)


def in_minibatches(experiment, kind, size):
    """As of MNIST, ten passes of minibatches of about 100."""
    experiment = dgdn_bcdf_mnist.in_minibatches(experiment, kind, size)
    if size == "full":
        model = experiment.model
        experiment.data.labelled_batch, experiment.training.epochs = 133, 10
        model.ramp_steps, model.burn_in, model.thinning = 20, 45, 9
    return experiment
