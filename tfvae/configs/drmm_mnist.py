"""DRMM on MNIST with 100 labels."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import drmm
from tfvae.networks import rendering


def get_config(size="full"):
    """Nguyen et al. 2016, table 1 (0.57 %): ConvSmall, labelled images in half of every batch of 100.

    `full` is table 6's gradient descent over 500 epochs, 0.2 to 1e-4. `recipe` is the authors' later code: 20 epochs
    of Adam, then the same descent with weight decay. `small` is Adam alone, for a machine without a GPU.
    """
    check_size(size, "full", "recipe", "small", "tiny")
    return Experiment(
        model=drmm.Config(
            network=tiny_network() if size == "tiny" else rendering.Config(),
            start_steps=20 * 1180 if size == "recipe" else 0,  # Epochs of 59,000 rows in batches of 50.
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=10,
            num_validation=1000,
            labelled_batch=50,
            unlabelled_batch=50,
            transform=transforms.Config(flatten=False),
        ),
        training=adam(epochs=5) if size == "small" else descent(1 if size == "tiny" else 500, recipe=size == "recipe"),
    )


def descent(epochs, recipe=False):
    """Table 6: plain gradient descent whose rate falls exponentially from 0.2 to 1e-4.

    Args:
        epochs: over which it falls.
        recipe: whether a player `start` comes first, with Adam, and weights decay, as in the authors' later code.
    """
    start = settings.Player(optimiser="adam", learning_rate=1e-3, decay_factor=1.0)
    return settings.Config(
        epochs=epochs,
        optimiser="sgd",
        momentum=0.0,
        learning_rate=0.2,
        decay="exponential",
        decay_factor=1e-4 / 0.2,
        decay_epochs=epochs,
        min_learning_rate=1e-4,
        weight_decay=5e-4 if recipe else 0.0,
        players=settings.Players(start=start) if recipe else settings.Players(),
    )


def adam(epochs):
    """Adam with a rate that falls to 0 along a cosine: what reaches a low error in few epochs."""
    return settings.Config(epochs=epochs, learning_rate=2e-3, decay="cosine", min_learning_rate=0.0, figures_epochs=0)


def tiny_network():
    """ConvSmall's layers with a few filters each."""
    return rendering.Config(filters=(3, 4, 4, 5), kernels=(5, 3, 3, 3))
