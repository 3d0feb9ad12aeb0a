"""M2 on two half-moons with 6 labels."""

from tfvae.configs import adgm_moons
from tfvae.models import m2


def get_config(size="full"):
    """Maaløe et al. 2016, section 4.2: the equivalent model without the auxiliary variable."""
    experiment = adgm_moons.get_config(size)
    adgm = experiment.model
    experiment.model = m2.Config(
        latent_dim=adgm.latent_dim, network=adgm.network, likelihood=adgm.likelihood, beta=adgm.beta
    )
    return experiment
