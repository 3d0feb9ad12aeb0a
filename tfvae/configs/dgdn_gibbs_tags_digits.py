"""DGDN on scikit-learn's 8×8 digits with tags of their shapes and values for a fifth of them, by Gibbs sampling."""

from tfvae.configs import dgdn_gibbs_digits
from tfvae.networks import dgdn as networks


def get_config(size="full"):
    """Pu 2017, section 3.3.3, at the size of the data: 256 tagged images among 1,197.

    Tags see of a code only which of its maps are on, so there are many maps, of one cell each, and tags do not take
    part in which are on (docs/explanation/dgdn_gibbs.md has what each is worth on validation rows).
    """
    experiment = dgdn_gibbs_digits.get_config(size)
    model, data = experiment.model, experiment.data
    model.label_weight, model.tag_weight, model.feedback = 0.0, 1.0, False
    if size == "full":
        model.network = networks.Config((8, 48), (3, 3), (2,), zero_blocks=True)
        model.topic_concentration, model.strength_prior = 0.2, (1.0, 0.3)
    data.source, data.labels_per_class, data.labelled_batch = "tagged_digits", 0, 0
    data.num_tagged, data.batches, data.unlabelled_batch = 256, {"tagged": 256}, dgdn_gibbs_digits.NUM_ROWS
    experiment.training.monitor = "tag_map"
    return experiment
