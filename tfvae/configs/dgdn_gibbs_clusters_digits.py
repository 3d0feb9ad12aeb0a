"""DGDN on scikit-learn's 8×8 digits without a label, its codes drawn from a mixture, by Gibbs sampling."""

from tfvae.configs import dgdn_gibbs_digits


def get_config(size="full"):
    """Pu 2017, section 3.3.4, at the size of the data."""
    experiment = dgdn_gibbs_digits.get_config(size)
    model, data = experiment.model, experiment.data
    model.label_weight, model.clusters = 0.0, 20
    data.labels_per_class, data.labelled_batch, data.unlabelled_batch = 0, 0, dgdn_gibbs_digits.NUM_ROWS
    if size == "tiny":
        model.begin_clusters = 2
    experiment.training.monitor = "bound"
    return experiment
