"""A Gaussian q(z | x) for a known decoder of a mixture: --config=tfvae/configs/vae_toy.py:wide for σ = 5."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import vae
from tfvae.networks import toy


def get_config(size="full"):
    """Pu 2017, section 4.5.1: z from two Gaussians, x = θ z + noise, an encoder of 100 hidden units.

    The source's σ = 0.1 (`full`) tells z from x to a few hundredths, and which Gaussian it came from, so that the
    posterior has one mode; with σ = 5 (`wide`) an x between the two leaves both open, which is what its figure shows.
    """
    check_size(size, "full", "wide", "tiny")
    noise = 5.0 if size == "wide" else 0.1
    return Experiment(
        model=vae.Config(
            latent_dim=2, network=toy.Config(hidden=(16,) if size == "tiny" else (100,), noise=noise),
            likelihood="gaussian", num_samples=10,
        ),
        data=data.Config(
            source="toy", points_noise=noise, num_validation=100, labelled_batch=0, unlabelled_batch=64,
            transform=transforms.Config(scale="raw"),
        ),
        training=settings.Config(
            epochs=1 if size == "tiny" else 50, learning_rate=5e-3, decay_factor=0.5, decay_epochs=10,
            min_learning_rate=1e-4, clip_norm=5.0, monitor="bound", figures_epochs=0,
        ),
    )  # fmt: skip
