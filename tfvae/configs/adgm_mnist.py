"""ADGM on MNIST with 100 labels."""

from tfvae import settings
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import adgm
from tfvae.networks import mlp


def get_config(size="full"):
    """Maaløe et al. 2016, table 1 (0.96 %); prepare MNIST with TFDS, or give --config.data.data_dir.

    `full` is the authors' published code where it and the text differ, and `text` is the text:

    |                 | `text`            | `full`                                    |
    | initialisation  | Glorot everywhere | N(0, 1e-3) for means, variances and logits |
    | normalisation   | none              | of batches                                |
    | draws a step    | 10 of a and of z  | 1 (the code: 5; the text names no number for most rows) |
    | rate            | 3e-4              | 3e-4, × 0.75 every 200 epochs             |
    | gradients       | as they are       | clipped at norm 5                         |

    The text has no number of epochs; the 1,000 are the code's. Both binarise at every look, where the text does once an
    epoch, and keep 1,000 rows for validation, on which the code trains too. `model.weight_prior` is the code's N(0, 1)
    prior of the weights, and off. `small` is 40 epochs at a rate that suits so few; `tiny` trains in seconds.
    """
    check_size(size, "full", "text", "small", "tiny")
    tiny, text = size == "tiny", size == "text"
    return Experiment(
        model=adgm.Config(
            latent_dim=8 if tiny else 100,
            auxiliary_dim=8 if tiny else 100,
            network=mlp.Config(
                hidden=(32, 32) if tiny else (500, 500),
                batch_norm=not text,
                output_init="glorot" if text else "small",
            ),
            num_samples=10 if text else 1,
            beta=0.1,
            compile_step=not tiny,  # Measured: XLA makes the step of a fully connected model a fifth faster.
        ),
        data=data.Config(
            source="tfds",
            name="mnist",
            labels_per_class=10,
            num_validation=1000,
            transform=transforms.Config(noise="binarise", min_pixel_std=0.1),
        ),
        training=training(size),
    )


def training(size):
    """1,000 epochs, or few at ten times the rate, which falls to nothing."""
    if size == "small":
        return settings.Config(
            epochs=40, learning_rate=3e-3, decay="linear", min_learning_rate=0.0, clip_norm=5.0, figures_epochs=0
        )
    decay_factor, clip_norm = (1.0, 0.0) if size == "text" else (0.75, 5.0)
    return settings.Config(
        epochs=1 if size == "tiny" else 1000, learning_rate=3e-4, decay_factor=decay_factor, decay_epochs=200,
        clip_norm=clip_norm, figures_epochs=50,
    )  # fmt: skip
