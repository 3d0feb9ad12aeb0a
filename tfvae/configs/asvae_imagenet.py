"""AS-VAE on photographs of 64×64: --config.data.path=photos/."""

from tfvae.configs import asvae_cifar10
from tfvae.networks import asvae as networks
from tfvae.networks import critic


def get_config(size="full"):
    """Pu 2017, figure 5.3 and table 5.3 (3.71 bits): ImageNet 2012 resized to 64×64, as a folder; 2,048 codes."""
    experiment = asvae_cifar10.get_config(size)
    experiment.data.source, experiment.data.name, experiment.data.image_size = "folder", "", 64
    experiment.data.color_mode = "rgb"
    if size != "tiny":
        experiment.model.latent_dim = 2048
        experiment.model.network = networks.Config(
            filters=(32, 64, 128, 256), first_kernel=5, blocks=(2, 2, 2, 2), decoder_blocks=(2, 2, 2, 0),
            refinements=(64, 64, 64, 64),
        )  # fmt: skip
        experiment.model.critic_network = critic.Config((32, 64, 128, 256), 5, batch_norm=True, dropout=0.2)
    return experiment
