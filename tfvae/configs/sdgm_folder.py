"""SDGM on your own folder of images: --config.data.path=photos/ (see docs/how_to/own_photographs.md)."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import adgm
from tfvae.networks import mlp


def get_config(size="full"):
    """Maaløe et al. 2016, section 2.4, with all labels that the folder has and a discretised-logistic likelihood.

    For shards written by `ingest`: --config.data.source=shards --config.data.path=shards/.
    """
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=adgm.Config(
            latent_dim=4 if tiny else 50,
            auxiliary_dim=4 if tiny else 50,
            network=mlp.Config(hidden=(16, 16) if tiny else (500, 500), batch_norm=True, output_init="small"),
            likelihood="discretised_logistic",
            skip=True,
            beta=1.0,
        ),
        data=data.Config(
            source="folder",
            labels_per_class=0,
            num_validation=100,
            labelled_batch=50,
            unlabelled_batch=100,
            image_size=32,
            transform=transforms.Config(noise="none", scale="unit"),
        ),
        training=settings.Config(epochs=2 if tiny else 200, clip_norm=5.0),
    )
