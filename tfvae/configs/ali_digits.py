"""Adversarially learned inference on scikit-learn's 8×8 digits."""

from tfvae.configs import asvae_digits
from tfvae.models import ali


def get_config(size="full"):
    """Dumoulin et al. 2017, on the networks and with the settings of `asvae_digits`; `tiny` trains in seconds."""
    experiment = asvae_digits.get_config(size)
    model = experiment.model
    experiment.model = ali.Config(
        model.latent_dim, model.network, critic_network=model.critic_network, compile_step=model.compile_step
    )
    experiment.training.monitor = "reconstruction_error"
    return experiment
