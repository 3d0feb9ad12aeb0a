"""A softmax classifier of codes."""

import keras
import tensorflow as tf


class Softmax(keras.layers.Layer):
    """p(y | z) = softmax(W z + b).

    Args:
        latent_dim: Z.
        num_classes: K.
    """

    def __init__(self, latent_dim, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.logits = keras.layers.Dense(num_classes, dtype="float32", name=f"{self.name}_logits")
        self.logits.build([None, latent_dim])
        self.built = True

    def log_prob(self, z, label):
        """log p(label | z): [B], nats, for z [B, Z] and integers [B]."""
        return tf.reduce_sum(tf.one_hot(label, self.num_classes) * tf.math.log_softmax(self.logits(z)), axis=-1)

    surrogate = log_prob

    def log_prior(self):
        """No prior on the weights: 0."""
        return tf.constant(0.0)

    def num_outcomes(self, label):
        """K, whatever the label."""
        del label
        return self.num_classes

    def predict(self, z):
        """Probabilities averaged over draws of the code: z [S, B, Z] -> [B, K]."""
        num, batch = tf.shape(z)[0], tf.shape(z)[1]
        logits = self.logits(tf.reshape(z, [-1, z.shape[-1]]))
        return tf.reduce_mean(tf.reshape(tf.nn.softmax(logits), [num, batch, self.num_classes]), axis=0)
