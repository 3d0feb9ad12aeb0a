"""MNIST as the one modality of a multimodal VAE: dense, convolutional, and autoregressive networks."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import multimodal
from tfvae.networks import modality

KINDS = {"vae": "dense", "cnn_vae": "convolutional", "ar_cnn_vae": "autoregressive"}


def get_config(size="full"):
    """Shah 2017, table 7.1: `vae` (−90 nats), `cnn_vae` (−87), and `ar_cnn_vae` or `full` (−82); binarised anew.

    `small` is five epochs of the last, for a machine without a GPU. The source prints no number of epochs; its models
    of colours were trained for about 2,000 passes over 1,000 pairs.
    """
    check_size(size, *KINDS, "full", "small", "tiny")
    tiny = size == "tiny"
    kind = KINDS.get(size, "autoregressive")
    return Experiment(
        model=multimodal.Config(
            latent_dim=3 if tiny else 50,
            network=tiny_network(kind) if tiny else modality.Config(kind=kind),
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            num_validation=1000,
            labelled_batch=0,
            unlabelled_batch=256,
            transform=transforms.Config(noise="binarise", flatten=False),
        ),
        training=training({"tiny": 1, "small": 5}.get(size, 100), 2e-3),
    )


def training(epochs, learning_rate):
    """RMSProp with Nesterov's momentum, the rate halved every fifth of the epochs."""
    return settings.Config(
        epochs=epochs,
        learning_rate=learning_rate,
        optimiser="rmsprop",
        clip_norm=100.0,
        decay_factor=0.5,
        decay_epochs=max(1, epochs // 5),
        min_learning_rate=1e-4,
        monitor="bound",
        figures_epochs=0,
    )


def tiny_network(kind="convolutional"):
    """Every layer of the source's networks, with a few units each."""
    return modality.Config(kind=kind, hidden=8, filters=3, strides=(2,), masked_blocks=1)
