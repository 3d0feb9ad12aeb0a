"""Halves of scikit-learn's 8×8 digits: a multimodal VAE of few pairs that trains in a minute."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import multimodal
from tfvae.networks import modality


def get_config(size="full"):
    """Shah 2017, section 7.3, at the size of the data: 100 digits whole, of the others a half each."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    binary = transforms.Config(noise="binarise", flatten=False)
    return Experiment(
        model=multimodal.Config(
            latent_dim=4 if tiny else 10,
            network=modality.Config(kind="dense", hidden=16 if tiny else 200),
        ),
        data=data.Config(
            source="halves",
            num_paired=100,
            labelled_batch=0,
            unlabelled_batch=64,
            batches={"paired": 32, "image_bottom": 64},
            labelled_stay_unlabelled=False,
            transform=binary,
            transforms={"image_bottom": binary},
        ),
        training=settings.Config(
            epochs=2 if tiny else 300, learning_rate=1e-3, optimiser="rmsprop", monitor="bound", figures_epochs=0
        ),
    )
