"""DGDN on scikit-learn's 8×8 digits with tags of their shapes and values for a fifth of them, by Gibbs sampling."""

from tfvae.configs import dgdn_gibbs_digits


def get_config(size="full"):
    """Pu 2017, section 3.3.3, at the size of the data: 256 tagged images among 1,197."""
    experiment = dgdn_gibbs_digits.get_config(size)
    model, data = experiment.model, experiment.data
    model.label_weight, model.tag_weight = 0.0, 1.0
    data.source, data.labels_per_class, data.labelled_batch = "tagged_digits", 0, 0
    data.num_tagged, data.batches, data.unlabelled_batch = 256, {"tagged": 256}, dgdn_gibbs_digits.NUM_ROWS
    experiment.training.monitor = "tag_map"
    return experiment
