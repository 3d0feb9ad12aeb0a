"""VAE of word counts: 20 Newsgroups, or any collection in `--config.data.path`."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import vae
from tfvae.networks import poisson


def get_config(size="full"):
    """The deep Poisson network of Pu 2017, section 4.5.2 (200, 200 and 50 units), under a Gaussian q(z | x).

    `--config.data.path` is a folder with word counts, such as the 2,000 words of 20 Newsgroups. `full` is up to 500
    epochs at the source's rate with early stopping; `small` has a code of 10 units and twenty epochs at a faster rate.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=vae.Config(
            latent_dim={"tiny": 4, "small": 10}.get(size, 50),
            network=poisson.Config(hidden=(16,) if tiny else (200, 200), layers=(12, 8) if tiny else (200, 200)),
            likelihood="poisson",
        ),
        data=data.Config(
            source="bag_of_words",
            num_validation=1000,
            labelled_batch=0,
            unlabelled_batch=64,
            transform=transforms.Config(scale="raw"),
        ),
        training=settings.Config(
            epochs={"tiny": 1, "small": 20}.get(size, 500), learning_rate=1e-3 if size == "small" else 2e-4,
            clip_norm=5.0, patience=20, monitor="bound",
        ),
    )  # fmt: skip
