"""Classification by the DGDN of MNIST, as evaluation and serving do it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.batch import DataInfo
from tfvae.models import dgdn
from tfvae.probability import noise


def classify(batch, num_samples, deterministic):
    """One call: the classes of a batch, from the mean code or averaged over draws."""
    config = dgdn.Config(unpooling="deterministic" if deterministic else "stochastic")
    model = config.build(DataInfo((28, 28, 1), 10, 50_000, 1000))
    image = tf.constant(np.random.default_rng(0).random([batch, 28, 28, 1]), tf.float32)
    seed = noise.seed(0) if num_samples > 1 else None
    call = tf.function(lambda image: model.classify(image, num_samples, seed))
    return worker.repeated(lambda: call(image))


if __name__ == "__main__":
    worker.serve({"classify": classify}, {}, {"tensorflow": tf.__version__, "keras": keras.__version__})
