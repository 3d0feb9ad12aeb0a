"""Stein VAE on MNIST with 100 labels, fully connected."""

from tfvae.configs import sdgm_mnist
from tfvae.experiment import check_size
from tfvae.models import stein
from tfvae.networks import mlp


def get_config(size="full"):
    """Pu 2017, section 4.5.3 and table 4.3 (2.78 % with 10 labels a class): 50 latents, 600 and 600 softplus units.

    `--config.data.labels_per_class` sets the labels, `--config.model.inference=stein_importance` Stein VIWAE (2.67 %).
    Batches of 32 labelled and 32 bare images, as the source prints 64 and not their shares. `small` has 12 latents,
    twenty particles and five epochs at 1e-3; the source has M = 100 and Adam at 2e-4.
    """
    check_size(size, "full", "small", "tiny")
    experiment = sdgm_mnist.get_config(size)
    tiny = size == "tiny"
    experiment.model = stein.Config(
        latent_dim={"tiny": 6, "small": 12}.get(size, 50),
        network=mlp.Config(hidden=(16, 16) if tiny else (600, 600), activation="softplus"),
        num_samples={"tiny": 5, "small": 20}.get(size, 100),
        label_weight=1.0,
    )
    experiment.data.labelled_batch = experiment.data.unlabelled_batch = 32
    experiment.data.transform.min_pixel_std = 0.0
    training = experiment.training
    training.decay_factor, training.clip_norm = 1.0, 5.0
    training.epochs = {"tiny": 1, "small": 5}.get(size, 200)
    training.learning_rate = 1e-3 if size == "small" else 2e-4
    training.patience = 20 if size == "full" else 0
    return experiment
