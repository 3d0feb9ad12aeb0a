"""Counts of words from positive scores of topics."""

import keras
import numpy as np
import tensorflow as tf

# Of a word that no topic has: a rate of 0 would make its first count impossible.
_LEAST_RATE = 1e-10


class Loadings(keras.layers.Layer):
    """Log rates log(θᵀ h) of counts, from scores h [N, V] > 0 and loadings θ [V, P] whose rows sum to one.

    So the scores are counts themselves: Σ_v h_v words are expected. Zhou et al. 2012.

    Args:
        factors: V.
        words: P.
        learned: whether training changes the loadings.
    """

    def __init__(self, factors, words, learned=True, **kwargs):
        super().__init__(**kwargs)
        self.logits = self.add_weight(
            shape=[factors, words], initializer=keras.initializers.RandomNormal(stddev=0.5), trainable=learned,
            name="logits",
        )  # fmt: skip
        self.built = True

    def call(self, scores):
        """[N, V] -> [N, P]."""
        return tf.math.log(tf.linalg.matmul(scores, self.topics()) + _LEAST_RATE)

    def topics(self):
        """θ: [V, P], of every topic a distribution over words."""
        return tf.nn.softmax(tf.convert_to_tensor(self.logits))

    def assign(self, topics):
        """Sets θ to given rows, positive where a word can occur."""
        self.logits.assign(np.log(np.maximum(topics, _LEAST_RATE)))

    def tilt(self, counts):
        """Multiplies the words of every topic by how often they were counted, one added: [P]."""
        self.logits.assign_add(np.broadcast_to(np.log(np.asarray(counts) + 1.0), self.logits.shape).astype(np.float32))

    def compute_output_shape(self, scores_shape):
        return (*scores_shape[:-1], self.logits.shape[1])
