"""Convolutional dictionaries: from activation maps down to what they explain, and the encoder's way up."""

import keras
import tensorflow as tf


class DictionaryConvolution(keras.layers.Layer):
    """Σ_k D⁽ᵏ⁾ ∗ S⁽ᵏ⁾, the "full" convolution: every activation adds its dictionary element, and the map grows.

    Linear and without bias, as the source's decoder is.

    Args:
        num_below: slices of a dictionary element, the maps of the layer below.
        num_elements: K, the activation maps.
        size: side n of a dictionary element.
        initializer: of the elements.

    Pu et al. 2016, eqs. (1) and (3).
    """

    def __init__(self, num_below, num_elements, size, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.dictionary = self.add_weight(
            shape=[size, size, num_below, num_elements], initializer=initializer, name="dictionary"
        )
        self.built = True

    def call(self, maps):
        """[B, h, w, K] -> [B, h + n − 1, w + n − 1, num_below]."""
        return full_convolution(maps, tf.cast(tf.convert_to_tensor(self.dictionary), maps.dtype))


def full_convolution(maps, dictionary):
    """Σ_k D⁽ᵏ⁾ ∗ S⁽ᵏ⁾ of maps [B, h, w, K] and elements [n, n, C, K]: [B, h + n − 1, w + n − 1, C]."""
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    grown = dictionary.shape[0] - 1
    shape = [batch, height + grown, width + grown, dictionary.shape[2]]
    # Graph mode: twice as fast as padding and a plain convolution, and 15 times in the dictionary's gradient.
    return tf.nn.conv2d_transpose(maps, dictionary, shape, strides=1, padding="VALID")


class FilterBank(keras.layers.Layer):
    """X ∗ₛ F⁽ᵏ⁾ for every k: the "valid" convolution, the encoder's twin of a dictionary; linear and without bias.

    Args:
        num_below: slices of a filter.
        num_filters: K, the maps that come out.
        size: side n of a filter.

    Pu et al. 2016, eqs. (5) and (7).
    """

    def __init__(self, num_below, num_filters, size, **kwargs):
        super().__init__(**kwargs)
        self.filters = self.add_weight(
            shape=[size, size, num_below, num_filters], initializer="glorot_uniform", name="filters"
        )
        self.built = True

    def call(self, maps):
        """[B, H, W, num_below] -> [B, H − n + 1, W − n + 1, K]."""
        return tf.nn.conv2d(maps, tf.cast(tf.convert_to_tensor(self.filters), maps.dtype), strides=1, padding="VALID")


class MapwiseGaussian(keras.layers.Layer):
    """Mean and log variance of q(s | x), from a two-layer network of its own for every map of the top layer.

    h = tanh(W⁽ᵏ⁾ vec(C⁽ᵏ⁾) + b⁽ᵏ⁾), μ = W_μ⁽ᵏ⁾ h + b_μ⁽ᵏ⁾, log σ = W_σ⁽ᵏ⁾ h + b_σ⁽ᵏ⁾.

    Args:
        num_maps: K.
        cells: P, cells of a map.
        hidden: units of each hidden layer.

    Pu et al. 2016, eqs. (36) to (38).
    """

    def __init__(self, num_maps, cells, hidden, **kwargs):
        super().__init__(**kwargs)
        self.w_hidden = self._kernel("w_hidden", num_maps, cells, hidden)
        self.b_hidden = self.add_weight(shape=[num_maps, hidden], initializer="zeros", name="b_hidden")
        self.w_mean = self._kernel("w_mean", num_maps, hidden, cells)
        self.b_mean = self.add_weight(shape=[num_maps, cells], initializer="zeros", name="b_mean")
        self.w_log_scale = self._kernel("w_log_scale", num_maps, hidden, cells)
        self.b_log_scale = self.add_weight(shape=[num_maps, cells], initializer="zeros", name="b_log_scale")
        self.built = True

    def call(self, maps):
        """[B, h, w, K] -> mean and log variance, each float32 [B, h·w·K] in the order of `maps`."""
        _, height, width, num_maps = maps.shape
        cells = tf.reshape(tf.cast(maps, tf.float32), [-1, height * width, num_maps])
        h = tf.tanh(tf.einsum("bpk,kph->bkh", cells, self.w_hidden) + self.b_hidden)
        mean = tf.einsum("bkh,khp->bpk", h, self.w_mean) + tf.transpose(self.b_mean)
        log_scale = tf.einsum("bkh,khp->bpk", h, self.w_log_scale) + tf.transpose(self.b_log_scale)
        flat = [-1, height * width * num_maps]
        return tf.reshape(mean, flat), 2.0 * tf.reshape(log_scale, flat)

    def _kernel(self, name, num_maps, inputs, outputs):
        limit = (6.0 / (inputs + outputs)) ** 0.5  # Glorot's, of one network of the many.
        uniform = keras.initializers.RandomUniform(-limit, limit)
        return self.add_weight(shape=[num_maps, inputs, outputs], initializer=uniform, name=name)
