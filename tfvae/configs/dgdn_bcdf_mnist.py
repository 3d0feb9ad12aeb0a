"""DGDN on MNIST without a recognition model, by Bayesian conditional density filtering."""

import dataclasses

from tfvae.configs import dgdn_gibbs_mnist
from tfvae.models import dgdn_sampled


def get_config(size="full"):
    """Pu 2017, section 3.4.1, and Guhaniyogi et al. 2014: minibatches of 250, the sizes of section 3.5.1."""
    return in_minibatches(dgdn_gibbs_mnist.get_config(size), dgdn_sampled.BcdfConfig, size)


def in_minibatches(experiment, kind, size):
    """The Gibbs sampler's experiment with a learner of minibatches, as many passes as `epochs`."""
    gibbs = {field.name: getattr(experiment.model, field.name) for field in dataclasses.fields(dgdn_sampled.Config)}
    model = experiment.model = kind(**{name: value for name, value in gibbs.items() if name != "test_code"})
    data, training = experiment.data, experiment.training
    rows, data.labelled_batch = data.labelled_batch, {"full": 250, "small": 100, "tiny": 10}[size]
    training.steps_per_epoch = 2 if size == "tiny" else 0
    training.epochs = {"full": 50, "small": 10, "tiny": 2}[size]
    steps = training.epochs * (training.steps_per_epoch or rows // data.labelled_batch)
    model.ramp_steps, model.burn_in = steps // 4, steps // 2
    model.thinning = max(1, (steps - model.burn_in) // 10)
    return experiment
