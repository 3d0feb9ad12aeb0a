"""VAE on binarised MNIST."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import vae
from tfvae.networks import mlp


def get_config(size="full"):
    """The one-layer network of Burda et al. 2016: 200 and 200 tanh units, 50 latents; binarised anew each epoch.

    `full` is 320 epochs (pythae trains as long); `small` is thirty, with a faster decay.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=vae.Config(
            latent_dim=8 if tiny else 50,
            network=mlp.Config(hidden=(32, 32) if tiny else (200, 200), activation="tanh"),
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=10,
            num_validation=1000,
            labelled_batch=0,
            transform=transforms.Config(noise="binarise"),
        ),
        training=settings.Config(
            epochs={"tiny": 1, "small": 30}.get(size, 320), learning_rate=1e-3, decay_factor=0.5,
            decay_epochs={"small": 7}.get(size, 80), min_learning_rate=1e-4, monitor="bound",
        ),
    )  # fmt: skip
