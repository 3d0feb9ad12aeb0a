"""SDGM on small NORB with 1,000 labels."""

from tfvae.configs import sdgm_svhn


def get_config(size="full"):
    """Maaløe et al. 2016, table 1 (9.40 %): image pairs at 32×32, uniform noise, divided by 256.

    β and what else the text leaves open are those of `sdgm_svhn`. The text also trains on single images, half the data,
    and is then at about 13 % after 100 epochs; no preset does.
    """
    experiment = sdgm_svhn.get_config(size)
    experiment.data.name = "smallnorb"
    experiment.data.image_size = 32
    experiment.data.labels_per_class = 200
    experiment.data.labelled_batch = experiment.data.unlabelled_batch = 100
    experiment.data.transform.scale = "unit"
    return experiment
