"""A sweep over the maps and codes of images, as the learners do it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import sweep
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Prior

SIZES = {
    "digits": ((8, 8, 1), networks.Config((8, 16), (3, 2), (2,), zero_blocks=True)),
    "mnist": ((28, 28, 1), networks.Config((39, 117), (8, 6), (3,), zero_blocks=True)),
}


def made(size, num, elements=0):
    """(geometry, `Global`, `Local` after a sweep, `Data`)."""
    image_shape, network = SIZES[size]
    if elements:
        network = networks.Config((elements, *network.elements[1:]), network.sizes, network.pooling, zero_blocks=True)
    geometry = Geometry.of(image_shape, network)
    image = tf.constant(np.random.default_rng(0).random([num, *image_shape]), tf.float32)
    shared = sweep.first_global(geometry, 0, 16.0, noise.seed(1))
    return geometry, shared, sweep.first_local(geometry, num, noise.seed(2)), Data(image, tf.zeros([num, 0]))


def local_sweep(size, num, elements=0):
    """One call: a sweep over the maps and codes of `num` images."""
    geometry, shared, local, data = made(size, num, elements)
    step = tf.function(
        lambda local: sweep.local_sweep_in_chunks(geometry, Prior(), shared, local, data, noise.seed(3)).local,
        autograph=False,
    )
    state = [step(local)]

    def once():
        state[0] = step(state[0])
        state[0].code.numpy()

    return worker.repeated(once)


def memory(size, num):
    return worker.memory_mib(lambda: local_sweep(size, num))


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    worker.serve({"local_sweep": local_sweep}, {"memory": memory}, versions)
