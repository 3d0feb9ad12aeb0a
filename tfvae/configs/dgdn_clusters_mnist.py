"""DGDN on MNIST without a label, its codes drawn from a mixture: images fall into clusters."""

from tfvae.configs import dgdn_mnist


def get_config(size="full"):
    """Pu 2017, sections 3.3.4 and 3.5.5, figure 3.10: a truncated stick-breaking mixture of at most 20 Gaussians."""
    experiment = dgdn_mnist.get_config(size)
    model, data, training = experiment.model, experiment.data, experiment.training
    model.prior, model.label_weight = "stick_breaking", 0.0
    data.labelled_batch, data.unlabelled_batch = 0, 64
    training.monitor = "bound"
    if size == "full":
        training.epochs = 50
    elif size == "small":
        training.epochs, model.clusters.begin_epochs = 2, 1
    else:
        model.clusters.most, model.clusters.begin_epochs = 4, 1
    return experiment
