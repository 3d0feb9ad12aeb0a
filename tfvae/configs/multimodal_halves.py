"""Top and bottom halves of MNIST: a joint code of 1,000 pairs and 58,000 halves."""

from tfvae.configs import multimodal_mnist
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import multimodal
from tfvae.networks import modality


def get_config(size="full"):
    """Shah 2017, section 7.3 (log p(x, y) ≥ −95): 64 pairs and 256 halves a step, as many of each half.

    The source divides the 256 at random, 40 to 60 % for each half; here a stream has one size. `small` is for a machine
    without a GPU: an epoch is a pass over the top halves.
    """
    check_size(size, "full", "small", "tiny")
    tiny = size == "tiny"
    binary = transforms.Config(noise="binarise", flatten=False)
    return Experiment(
        model=multimodal.Config(
            latent_dim=3 if tiny else 50,
            network=multimodal_mnist.tiny_network() if tiny else modality.Config(),
        ),
        data=data.Config(
            source="halves",
            name="mnist",
            num_paired=1000,
            num_validation=1000,
            labelled_batch=0,
            unlabelled_batch=128,
            batches={"paired": 64, "image_bottom": 128},
            labelled_stay_unlabelled=False,
            transform=binary,
            transforms={"image_bottom": binary},
        ),
        training=multimodal_mnist.training({"full": 200, "small": 10}.get(size, 1), 1e-3),
    )
