"""Pooling and unpooling as the DGDN does them, in graph mode and compiled."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.layers import unpooling
from tfvae.probability import noise


def pool_and_unpool(shape, block, sampled, backward, xla):
    """One call: draw a map where it is sampled, pool, unpool, and the gradient in the maps where it is asked for."""
    rng = np.random.default_rng(0)
    maps, weight = (tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2))
    pooled_shape = [shape[0], shape[1] // block, shape[2] // block, shape[3]]
    given = tf.constant(rng.integers(0, block**2, pooled_shape), tf.int32)

    def forward(maps, seed):
        position = unpooling.uniform_position(pooled_shape, block**2, seed) if sampled else given
        mask = unpooling.mask_of(position, block)
        return unpooling.unpool(unpooling.pool(maps, mask, block), mask, block)

    @tf.function(jit_compile=xla)
    def call(maps, weight, seed):
        if not backward:
            return forward(maps, seed)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            unpooled = forward(maps, seed)
        return unpooled, tape.gradient(unpooled, maps, output_gradients=weight)

    seeds = [noise.seed(i) for i in range(16)]
    count = iter(range(1 << 62))
    return worker.repeated(lambda: call(maps, weight, seeds[next(count) % 16]))


def copy(shape):
    """One copy of the maps, by two threads, as TensorFlow does it."""
    maps = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    call = tf.function(lambda maps: tf.raw_ops.DeepCopy(x=maps))
    return worker.repeated(lambda: call(maps))


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    worker.serve({"pool_and_unpool": pool_and_unpool, "copy": copy}, {}, versions)
