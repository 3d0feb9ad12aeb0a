"""Visible and infrared photographs of one street, from two folders with the same file names."""

from tfvae.configs import multimodal_mnist
from tfvae.data import load as data
from tfvae.data import transforms
from tfvae.experiment import Experiment, check_size
from tfvae.models import multimodal
from tfvae.networks import modality


def get_config(size="full"):
    """Shah 2017, section 7.5 (day and night photographs), on pairs such as RoadScene's (Xu et al. 2020).

    Give `--config.data.path`, a folder that holds `visible/` and `infrared/`; images without a partner may lie in
    `unpaired/visible/` and `unpaired/infrared/`. `full` learns from pairs alone, by the translation objective;
    `unpaired` from images alone too; `small` has fewer layers with half of the maps, for a machine without a GPU.
    """
    check_size(size, "full", "unpaired", "small", "tiny")
    tiny, small = size == "tiny", size == "small"
    network = (
        modality.Config(filters=16, strides=(2, 2, 2)) if small else modality.Config(filters=32, strides=(2, 1, 2, 2))
    )
    whole = transforms.Config(flatten=False)
    return Experiment(
        model=multimodal.Config(
            latent_dim=3 if tiny else 64,
            network=multimodal_mnist.tiny_network() if tiny else network,
            likelihood="logistic_mixture",
            objective="translation",
        ),
        data=data.Config(
            source="folder",
            modalities=("visible", "infrared"),
            image_size=32,
            num_validation=20,
            labels_per_class=0,
            labelled_batch=0,
            unlabelled_batch=32 if size == "unpaired" else 0,
            batches={
                "paired": 4 if tiny else 32,
                **({"image_infrared": 4 if tiny else 32} if size in ("unpaired", "tiny") else {}),
            },
            transform=whole,
            transforms={"image_infrared": whole},
        ),
        training=multimodal_mnist.training(
            {"full": 2000, "unpaired": 2000, "small": 150}.get(size, 1), 1e-3 if small else 5e-4
        ),
    )
