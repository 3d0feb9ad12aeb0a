"""M2 on MNIST with 100 labels."""

from tfvae.configs import adgm_mnist
from tfvae.models import m2


def get_config(size="full"):
    """Maaløe et al. 2016, figure 5: M2 of Kingma et al. 2014 with exactly the settings of the ADGM."""
    experiment = adgm_mnist.get_config(size)
    adgm = experiment.model
    experiment.model = m2.Config(
        latent_dim=adgm.latent_dim, network=adgm.network, beta=adgm.beta, compile_step=adgm.compile_step
    )
    return experiment
