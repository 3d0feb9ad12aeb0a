"""All noise is stateless, and the same numbers in graph mode and under XLA.

A seed is an int32 tensor [2]. TensorFlow's philox gives the same *bits* in both modes, but turns them into floats
differently, and its default algorithm differs altogether (and is ten times slower under XLA on a CPU). So the algorithm
is always named, and floats are made from the bits here.
"""

import numpy as np
import tensorflow as tf

_ALG = "philox"


def seed(*parts):
    """A seed from integers or scalar tensors, such as (experiment seed, step, replica): equal parts, equal noise."""
    folded = tf.constant([0x7F4A, 0x1F5], tf.int32)
    for part in parts:
        folded = fold_in(folded, part)
    return folded


def fold_in(seed, number):
    """Another seed for every integer `number`."""
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg=_ALG)


def split(seed, num):
    """A tuple of `num` independent seeds."""
    return tuple(tf.unstack(tf.random.experimental.stateless_split(seed, num, alg=_ALG)))


def uniform(shape, seed):
    """Draws from [0, 1) with 24 random bits: float32 of that shape."""
    bits = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=_ALG)
    return tf.cast(tf.bitwise.right_shift(bits, np.uint32(8)), tf.float32) * 2.0**-24


def normal(shape, seed):
    """Standard normal draws, two from a pair of uniforms (Box and Muller 1958): float32 of that shape."""
    shape = tf.convert_to_tensor(shape, tf.int32)
    size = tf.reduce_prod(shape)
    u = uniform(tf.stack([2, (size + 1) // 2]), seed)
    radius = tf.sqrt(-2.0 * tf.math.log1p(-u[0]))
    angle = 2.0 * np.pi * u[1]
    pairs = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(pairs[:size], shape)
