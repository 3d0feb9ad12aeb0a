"""AS-VAE on CIFAR-10."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import asvae
from tfvae.networks import asvae as networks
from tfvae.networks import critic


def get_config(size="full"):
    """Pu 2017, figure 5.2 and table 5.2 (3.32 bits, RMSE 3.36): Gaussians both ways, gray levels dequantised.

    The figure gives 100 features to the decoder and 64 to the critic; both have 100 here.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    full = networks.Config(
        filters=(16, 32, 64), first_kernel=5, blocks=(2, 2, 3), decoder_blocks=(2, 2, 0), refinements=(64, 64, 64, 64)
    )
    small = networks.Config(filters=(16, 32, 64), first_kernel=5, blocks=(0, 1, 1), decoder_blocks=(1, 1, 0))
    tiny_network = networks.Config(filters=(3, 4), blocks=(1, 0), decoder_blocks=(0, 1), refinements=(4,))
    tiny_critic = critic.Config(filters=(3, 4), hidden=(8,), joint=(8,))
    return Experiment(
        model=asvae.Config(
            latent_dim=6 if tiny else 100, network={"full": full, "small": small}.get(size, tiny_network),
            likelihood="gaussian",
            critic_network=tiny_critic if tiny else critic.Config((16, 32, 64), 5, batch_norm=True, dropout=0.2),
        ),
        data=data.Config(
            source="tfds", name="cifar10", labels_per_class=400, num_validation=2000, labelled_batch=0,
            transform=transforms.Config(noise="dequantise", flatten=False),
        ),
        training=settings.Config(
            epochs={"full": 300, "small": 5}.get(size, 1), learning_rate=1e-3 if size == "small" else 1e-4,
            clip_norm=100.0, monitor="bound", patience=20,
        ),
    )  # fmt: skip
