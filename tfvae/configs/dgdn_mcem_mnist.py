"""DGDN on MNIST without a recognition model, by Monte Carlo EM."""

from tfvae.configs import dgdn_bcdf_mnist, dgdn_gibbs_mnist
from tfvae.models import dgdn_sampled


def get_config(size="full"):
    """Pu 2017, sections 3.4.2 and 3.5.1 (0.45 %, all labels): RMSprop with decay 0.95; its rate is not printed."""
    return dgdn_bcdf_mnist.in_minibatches(dgdn_gibbs_mnist.get_config(size), dgdn_sampled.McemConfig, size)
