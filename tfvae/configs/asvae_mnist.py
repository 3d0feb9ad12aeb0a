"""AS-VAE on binarised MNIST."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import asvae
from tfvae.networks import asvae as networks
from tfvae.networks import critic


def get_config(size="full", half="full"):
    """Pu 2017, figure 5.1 and table 5.1 (82.51 nats): convolutions, 64 codes, q(z | x) a planar flow of length 80.

    `full` has the residual critics; `source` the source's, and its early stopping by reconstruction, with a batch size,
    a dropout and a number of epochs that it does not print. p(x | z) is Bernoulli, where the source names a flow and
    speaks of the probability of a binary pixel. `small` is a diagonal Gaussian and ten epochs.
    """
    check_size(size, "full", "source", "small", "tiny")
    tiny, small, source = (size == name for name in ("tiny", "small", "source"))
    return Experiment(
        model=asvae.Config(
            latent_dim=8 if tiny else 64,
            network=networks.Config(filters=(4, 6)) if tiny else networks.Config(),
            posterior="gaussian" if small else "planar",
            flow_length=3 if tiny else 80,
            half=half,
            critic="mlp" if source else "residual",
            critic_network=critic_of(tiny),
        ),
        data=mnist(),
        training=settings.Config(
            epochs={"tiny": 1, "small": 10}.get(size, 200),
            learning_rate=1e-3 if small else 1e-4,
            decay="cosine" if small else "staircase",
            min_learning_rate=0.0 if small else 3e-5,
            monitor="reconstruction_error" if source else "bound",
            patience=0 if small else 20,
        ),
    )


def critic_of(tiny=False):
    """Figure 5.1's f."""
    sizes = {"filters": (4, 6), "hidden": (8,), "joint": (8,)} if tiny else {}
    return critic.Config(**sizes, batch_norm=True, dropout=0.2)


def mnist(noise="binarise"):
    """Images of 28×28 without their labels, binarised anew each epoch."""
    return data.Config(
        source="tfds", name="mnist", labels_per_class=10, num_validation=1000, labelled_batch=0,
        transform=transforms.Config(noise=noise, flatten=False),
    )  # fmt: skip
