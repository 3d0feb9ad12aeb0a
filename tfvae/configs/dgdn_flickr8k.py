"""DGDN for images and captions, Flickr8k: --config.data.path=flickr8k/ (images, Flickr8k.token.txt and its lists)."""

from tfvae.configs import dgdn_caltech101
from tfvae.experiment import check_size
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu et al. 2016, tables 3 (BLEU-1 0.70, perplexity 15.24) and 5: five layers on photographs of 256×256, a GRU.

    A batch has 16 images so that a step stays within 8 GB; the source's 64 take four times that. The source names no
    preprocessing here; local contrast normalisation has a lower validation perplexity than standardised channels.
    `small` is three layers on 64×64, for machines without an accelerator.
    """
    check_size(size, "full", "small", "tiny")
    experiment = dgdn_caltech101.get_config("tiny" if size == "tiny" else "full")
    model, data, training = experiment.model, experiment.data, experiment.training
    if size == "full":
        model.network = networks.Config((48, 84, 128, 192, 128), (5, 5, 5, 5, 5), (4, 2, 2, 2))
        data.image_size, data.captioned_batch = 256, 16
    elif size == "small":
        model.network = networks.Config((24, 64, 64), (6, 6, 5), (2, 4))
        data.image_size, data.captioned_batch = 64, 32
        training.learning_rate, training.epochs, training.patience = 1e-3, 30, 8
        training.figures_epochs = 0
    else:
        data.image_size, data.captioned_batch, data.captions.min_count = 8, 6, 1
        model.caption.hidden, model.caption.embedding = 8, 5
    model.label_weight, model.caption_weight, training.monitor = 0.0, 1.0, "perplexity"
    data.source, data.name, data.color_mode = "folder", "", "rgb"
    data.labels_per_class, data.labelled_batch, data.unlabelled_batch = 0, 0, 0
    return experiment
