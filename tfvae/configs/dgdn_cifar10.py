"""DGDN on CIFAR-10."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import dgdn
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, tables 1 (8.19 %, all labels) and 5: three layers of 48, 128 and 128 elements of 5×5.

    Global contrast normalisation, ZCA, translations and mirror images (Pu 2017, section 3.5.2); the size of the
    translations is not printed.
    """
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=dgdn.Config(
            network=networks.Config(
                elements=(3, 4, 5) if tiny else (48, 128, 128),
                sizes=(3, 2, 1) if tiny else (5, 5, 5),
                pooling=(2, 2),
            ),
            initial_precision=1.0,
        ),
        data=data.Config(
            source="tfds",
            name="cifar10",
            labels_per_class=0,
            num_validation=5000,
            labelled_batch=64,
            unlabelled_batch=0,
            transform=transforms.Config(contrast="global", whiten=True, translate=2, flip=True, flatten=False),
        ),
        training=settings.Config(
            epochs=1 if tiny else 200,
            learning_rate=2e-4,
            clip_norm=5.0,
            patience=0 if tiny else 20,
            figures_epochs=1 if tiny else 10,
        ),
    )
