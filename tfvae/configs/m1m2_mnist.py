"""M1+M2 on MNIST with 100 labels."""

from tfvae.configs import adgm_mnist
from tfvae.models import m1m2, m2, vae
from tfvae.networks import mlp


def get_config(size="full"):
    """Kingma et al. 2014, table 1 (3.33 %): M1 with 50 codes, then M2 over them.

    `small` is 20 epochs of each.
    """
    experiment = adgm_mnist.get_config(size)
    tiny = size == "tiny"
    wide, narrow = ((32, 32), (32,)) if tiny else ((600, 600), (500,))
    experiment.model = m1m2.Config(
        m1=vae.Config(latent_dim=8 if tiny else 50, network=mlp.Config(wide, activation="softplus")),
        m2=m2.Config(
            latent_dim=8 if tiny else 50, likelihood="gaussian", network=mlp.Config(narrow, activation="softplus")
        ),
        m1_steps={"tiny": 300, "small": 11_800}.get(size, 59_000),
    )
    experiment.training.epochs = {"tiny": 1, "small": 40}.get(size, 500)
    if size == "small":
        experiment.training.learning_rate = 1e-3
    return experiment
