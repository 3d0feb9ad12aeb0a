"""DRMM on rendered objects whose pose is known (`tfvae-render --output=shards/rendered`)."""

from tfvae import settings
from tfvae.configs import drmm_mnist
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import drmm
from tfvae.networks import rendering


def get_config(size="full"):
    """Nguyen et al. 2016, section 5.4 and table 5 (6.48 % with 4,000 labels, 2.22 % with 50,000): ConvLarge.

    `small` is a third of its filters, with a label for one image in ten, for a machine without a GPU.
    """
    check_size(size, "full", "small", "tiny")
    return Experiment(
        model=drmm.Config(network=network(size), reconstruction_weight=0.5, kl_weight=0.2, negativity_weight=0.5),
        data=data.Config(
            source="shards",
            path="shards/rendered",
            labels_per_class=400 if size == "full" else 100,
            num_validation=1000,
            labelled_batch=50,
            unlabelled_batch=50,
            entries=("factors",),  # The model has no use for them; what its layers know of them is measured.
            transform=transforms.Config(flatten=False),
        ),
        training=training(size),
    )


def network(size):
    """ConvLarge of table 6; a third of its filters for `small`, and layers of a few for `tiny`."""
    return drmm_mnist.tiny_network() if size == "tiny" else rendering.conv_large(32 if size == "small" else 96)


def training(size):
    """Table 6's gradient descent, or Adam for few epochs."""
    if size == "small":
        return drmm_mnist.adam(epochs=10)
    return settings.Config(epochs=1) if size == "tiny" else drmm_mnist.descent(500)
