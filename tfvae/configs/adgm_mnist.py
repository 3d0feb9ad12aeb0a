"""ADGM on MNIST with 100 labels."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import adgm
from tfvae.networks import mlp


def get_config(size="full"):
    """Maaløe et al. 2016, table 1 (0.96 %); prepare MNIST with TFDS, or give --config.data.data_dir.

    `full` is the source's 1,000 epochs; `small` is five, at a rate that suits so few; `tiny` trains in seconds.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=adgm.Config(
            latent_dim=8 if tiny else 100,
            auxiliary_dim=8 if tiny else 100,
            network=mlp.Config(hidden=(32, 32) if tiny else (500, 500), batch_norm=True, output_init="small"),
            beta=0.1,
            compile_step=not tiny,  # Measured: XLA makes the step of a fully connected model a fifth faster.
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=10,
            num_validation=1000,
            transform=transforms.Config(noise="binarise", min_pixel_std=0.1),
        ),
        training=settings.Config(
            epochs={"tiny": 1, "small": 5}.get(size, 1000),
            learning_rate=1e-3 if size == "small" else 3e-4,
            decay_factor=0.75,
            decay_epochs=200,
            clip_norm=5.0,
            figures_epochs=0 if size == "small" else 50,
        ),
    )
