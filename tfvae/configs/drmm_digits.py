"""DRMM on scikit-learn's 8×8 digits with 10 labels a class: what `tools/demo` trains."""

from tfvae.configs import drmm_mnist
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import drmm
from tfvae.networks import rendering


def get_config(size="full"):
    """Nguyen et al. 2016, ConvSmall, on images whose sides run through 12, 6, 4, 6, 3 and 1; `tiny` in seconds."""
    check_size(size, "full", "tiny")
    tiny = size == "tiny"
    return Experiment(
        model=drmm.Config(network=drmm_mnist.tiny_network() if tiny else rendering.Config()),
        data=data.Config(
            source="digits", labelled_batch=50, unlabelled_batch=50, transform=transforms.Config(flatten=False)
        ),
        training=drmm_mnist.descent(1) if tiny else drmm_mnist.adam(epochs=30),
    )
