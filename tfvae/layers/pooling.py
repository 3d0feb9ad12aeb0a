"""The distribution of a pooling map: which cell of each block counts."""

import keras
import tensorflow as tf

from tfvae.layers import unpooling


class PoolingLogits(keras.layers.Layer):
    """η = W₁ tanh(W₂ vec(block) + b₂) + b₁, the logits of q(u | x), for every block of every map alike.

    Args:
        block: side of the square block.
        hidden: units of the hidden layer.
        num_outcomes: `block**2`, or one more where the whole block may be blank.

    Pu et al. 2016, section 2.2: the weights carry no index of the map, so all maps of a layer share them.
    """

    def __init__(self, block, hidden, num_outcomes, **kwargs):
        super().__init__(**kwargs)
        self.block = block
        self.hidden = keras.layers.Dense(hidden, activation="tanh", name=f"{self.name}_hidden")
        self.logits = keras.layers.Dense(num_outcomes, dtype="float32", name=f"{self.name}_logits")
        self.hidden.build([None, block**2])
        self.logits.build([None, hidden])
        self.built = True

    def call(self, maps):
        """[B, H, W, C] -> float32 [B, h, w, C, num_outcomes]."""
        cells = unpooling.blocks(maps, self.block)
        rows = self.logits(self.hidden(tf.reshape(cells, [-1, self.block**2])))
        return tf.reshape(rows, tf.concat([tf.shape(cells)[:4], [rows.shape[-1]]], axis=0))
