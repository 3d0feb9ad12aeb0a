"""DGDN on MNIST without a recognition model, by Gibbs sampling."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import dgdn_sampled
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu 2017, section 3.5.1 (0.37 %, all labels): 39 elements of 8×8 and 117 of 6×6, blocks of 3×3.

    A step is a sweep over all training rows, an epoch ten of them; 1000 burn-in sweeps and 500 for collection, of which
    every 50th is kept. `small` learns 1,000 images with fewer elements.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    sweeps = {"full": 1500, "small": 100, "tiny": 4}[size]
    rows = {"full": 50_000, "small": 1000, "tiny": 50}[size]
    return Experiment(
        model=dgdn_sampled.GibbsConfig(
            network=network(size),
            burn_in={"full": 1000, "small": 60, "tiny": 2}[size],
            thinning={"full": 50, "small": 10, "tiny": 1}[size],
            kept={"full": 10, "small": 4, "tiny": 2}[size],
            ramp_steps=sweeps // 4,
            test_burn_in=2 if tiny else 20,
            test_kept=2 if tiny else 20,
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=0 if size == "full" else rows // 10,
            num_validation=10_000,
            labelled_batch=rows,
            unlabelled_batch=0,
            entries=("row",),
            transform=transforms.Config(flatten=False),
        ),
        training=settings.Config(
            epochs=2 if tiny else sweeps // 10,
            steps_per_epoch=2 if tiny else 10,
            figures_epochs=0,
        ),
    )


def network(size):
    """The sizes of the layers, with the outcome "blank" of Pu 2017, section 3.2.3."""
    elements, sides, pooling = {
        "full": ((39, 117), (8, 6), (3,)),
        "small": ((16, 40), (8, 6), (3,)),
        "tiny": ((3, 4), (3, 2), (2,)),
    }[size]
    return networks.Config(elements=elements, sizes=sides, pooling=pooling, zero_blocks=True)
