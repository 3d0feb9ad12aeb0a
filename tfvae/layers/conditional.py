"""p(child | parents): networks that end in a distribution."""

import keras
import tensorflow as tf


class Conditional(keras.layers.Layer):
    """p(child | parents), called with the parents, returns a TFP distribution.

    Parents may carry leading axes [S, B, K] of their own as long as these broadcast: an image [B, 1, D], a class table
    [K, K] and auxiliary draws [S, B, 1, A] give a distribution with batch shape [S, B, K].

    Args:
        merge: a layer from the parents to one tensor [..., H].
        trunk: a built model from [N, H] to the parameters of the family, [N, P].
        family: `tfvae.probability.families.Family`.
    """

    def __init__(self, merge, trunk, family, **kwargs):
        super().__init__(**kwargs)
        self.merge = merge
        self.trunk = trunk
        self.family = family
        self.built = True

    def call(self, *parents, training=False):
        return self.family.distribution(self.params(*parents, training=training))

    def params(self, *parents, training=False):
        """The parameters that the network puts out: [..., P]."""
        return batch_apply(self.trunk, self.merge(*parents), training=training)


def batch_apply(network, x, **kwargs):
    """Runs a network written for [N, D] on [..., D]: folds the leading axes, then restores them."""
    if x.shape.rank == 2:
        return network(x, **kwargs)
    y = network(tf.reshape(x, [-1, x.shape[-1]]), **kwargs)
    return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [y.shape[-1]]], axis=0))
