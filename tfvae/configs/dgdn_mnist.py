"""DGDN on MNIST with 100 labels."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import dgdn
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, tables 2 (1.49 %) and 5: two layers, 30 elements of 8×8 and 80 of 6×6, blocks of 3×3.

    `full` is the source's rate; it prints no number of epochs. `small` is one, at a rate that suits so few.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=dgdn.Config(
            network=networks.Config(
                elements=(3, 4) if tiny else (30, 80), sizes=(3, 2) if tiny else (8, 6), pooling=(2,) if tiny else (3,)
            ),
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=10,
            num_validation=10_000,
            labelled_batch=32,
            unlabelled_batch=32,
            transform=transforms.Config(flatten=False),
        ),
        training=settings.Config(
            epochs={"tiny": 1, "small": 1}.get(size, 200),
            learning_rate=1e-3 if size == "small" else 2e-4,
            clip_norm=5.0,
            patience=0 if tiny else 20,
            figures_epochs=0 if size == "small" else 10,
        ),
    )
