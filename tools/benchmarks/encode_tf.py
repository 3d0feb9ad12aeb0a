"""Classification by the DGDN of MNIST, as evaluation and serving do it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.batch import DataInfo
from tfvae.models import dgdn, dgdn_sampled
from tfvae.networks import dgdn as networks
from tfvae.probability import noise


def classify(batch, num_samples, deterministic):
    """One call: the classes of a batch, from the mean code or averaged over draws."""
    config = dgdn.Config(unpooling="deterministic" if deterministic else "stochastic")
    model = config.build(DataInfo((28, 28, 1), 10, 50_000, 1000))
    image = tf.constant(np.random.default_rng(0).random([batch, 28, 28, 1]), tf.float32)
    seed = noise.seed(0) if num_samples > 1 else None
    call = tf.function(lambda image: model.classify(image, num_samples, seed))
    return worker.repeated(lambda: call(image))


def sampled(batch, kind):
    """The same by a chain of ten sweeps a batch, without a recognition model: decisions averaged, or a MAP code."""
    config = {"gibbs": dgdn_sampled.GibbsConfig, "mcem": dgdn_sampled.McemConfig}[kind]
    network = networks.Config(elements=(30, 80), sizes=(8, 6), pooling=(3,))
    model = config(network, test_burn_in=5, test_kept=5).build(DataInfo((28, 28, 1), 10, 50_000, 1000))
    image = tf.constant(np.random.default_rng(0).random([batch, 28, 28, 1]), tf.float32)
    call = tf.function(lambda image: model.classify(image), autograph=False)
    return worker.repeated(lambda: call(image))


if __name__ == "__main__":
    worker.serve(
        {"classify": classify, "sampled": sampled}, {}, {"tensorflow": tf.__version__, "keras": keras.__version__}
    )
