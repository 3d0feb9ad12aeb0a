"""DGDN on scikit-learn's 8×8 digits, by Monte Carlo EM: no download."""

from tfvae.configs import dgdn_bcdf_digits, dgdn_gibbs_digits
from tfvae.models import dgdn_sampled


def get_config(size="full"):
    """Pu 2017, section 3.4.2, at the size of the data, all labels."""
    return dgdn_bcdf_digits.in_minibatches(dgdn_gibbs_digits.get_config(size), dgdn_sampled.McemConfig, size)
