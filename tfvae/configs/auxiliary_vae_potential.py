"""Auxiliary posterior of a 2D potential: --config=tfvae/configs/auxiliary_vae_potential.py:u1 (to u4)."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import auxiliary_vae
from tfvae.networks import mlp


def get_config(size="u1"):
    """Maaløe et al. 2016, section 4.1 and figure 2: three hidden layers of 20, dim(a) = 4, dim(z) = 2.

    The hidden units are tanh, not rectified as the source's: in runs half as long, with the target warmed up, 14 of 15
    rectified ones stayed 1.6 to 3.3 nats below log Z, no tanh one more than 0.4. Without the warm-up two of three tanh
    ones found one mode of U1 alone.
    """
    check_size(size, "full", "u1", "u2", "u3", "u4", "tiny")
    return Experiment(
        model=auxiliary_vae.Config(
            latent_dim=2,
            auxiliary_dim=4,
            network=mlp.Config(hidden=(20, 20, 20), activation="tanh"),
            prior="u1" if size in ("tiny", "full") else size,
            num_samples=5,
            target_warmup_steps=6000,
        ),
        data=data.Config(
            source="nothing",
            labels_per_class=0,
            num_validation=1000,
            labelled_batch=0,
            unlabelled_batch=200,
            transform=transforms.Config(scale="raw"),
        ),
        training=settings.Config(
            epochs=1 if size == "tiny" else 400,
            learning_rate=5e-3,
            decay_factor=0.5,
            decay_epochs=80,
            min_learning_rate=1e-4,
            monitor="bound",
            steps_per_execution=45,
            figures_epochs=0,
        ),
    )
