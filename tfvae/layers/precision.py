"""The precision of a Gaussian as a parameter."""

import keras
import numpy as np
import tensorflow as tf


class Precision(keras.layers.Layer):
    """log α of a positive α, called without arguments.

    What is trained counts tenfold: Adam moves all variables by about its rate, and this one has far to go.

    Args:
        initial: α before training.
    """

    def __init__(self, initial, **kwargs):
        super().__init__(**kwargs)
        self.log_initial = float(np.log(initial))
        self.offset = self.add_weight(shape=[], initializer="zeros", name="offset")
        self.built = True

    def log(self):
        """log α, a scalar."""
        return self.log_initial + 10.0 * tf.convert_to_tensor(self.offset)
