"""DGDN on scikit-learn's 8×8 digits with tags of their shapes and values, for a fifth of them: trains in a minute."""

from tfvae.configs import dgdn_digits


def get_config(size="full"):
    """Pu 2017, section 3.3.3, at the size of the data: 256 tagged images beside the others."""
    experiment = dgdn_digits.get_config(size)
    model, data, training = experiment.model, experiment.data, experiment.training
    data.source, data.num_tagged = "tagged_digits", 256
    data.labels_per_class, data.labelled_batch, data.batches = 0, 0, {"tagged": 32}
    model.label_weight, model.tag_weight, training.monitor = 0.0, 1.0, "tag_map"
    return experiment
