"""Networks of one modality: from it to features and from a code to it, weight-normalised  (Shah, section 5.5).

    features(name, image_shape)                         a model from x to h [N, hidden]
    decoder(name, latent_dim, image_shape, likelihood)  a layer from z [..., Z] to p(x | z)

A posterior is linear in the features (`gaussian`), that of several modalities in the merged features of all of them.
"""

import dataclasses
import math

import keras
import tensorflow as tf

from tfvae import ranges
from tfvae.layers.conditional import Conditional, batch_apply
from tfvae.layers.weight_norm import WeightNorm
from tfvae.networks.conv import check_images
from tfvae.networks.pixelcnn import PixelCNN, PixelCNNDecoder
from tfvae.probability import families, pixels

KINDS = ("dense", "convolutional", "autoregressive")


@dataclasses.dataclass
class Config:
    """Networks of one shape in both directions.

    Args:
        kind: `dense`, `convolutional` (residual), or `autoregressive`, whose encoder is convolutional and whose
            decoder is a PixelCNN above a deconvolutional network.
        hidden: units of the dense layers.
        filters: maps of every convolution.
        strides: of the residual blocks from the image up; the decoder has them in reverse.
        masked_filters: maps of the PixelCNN; 0 for `filters`.
        masked_blocks: its residual blocks.
    """

    kind: str = ranges.field("convolutional", ranges.Choices(KINDS))
    hidden: int = ranges.field(450, ranges.WIDTHS)
    filters: int = ranges.field(16, ranges.WIDTHS)
    strides: tuple[int, ...] = ranges.field((2, 1, 2, 1), ranges.SIDES)
    masked_filters: int = ranges.field(0, ranges.WIDTHS._replace(least=0))
    masked_blocks: int = ranges.field(3, ranges.LAYERS)

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations are not images.
        """
        check_images(image_shape)

    @property
    def has_mean(self):
        """Whether p(x | z) has a mean in closed form."""
        return self.kind != "autoregressive"

    def features(self, name, image_shape):
        """A model from x to h  (tables 5.1 and 5.2)."""
        image = h = keras.Input(image_shape, name=f"{name}_image")
        if self.kind == "dense":
            h = keras.layers.Flatten(name=f"{name}_flatten")(h)
            h = _elu(_dense(self.hidden, f"{name}_hidden0", h), f"{name}_elu0")
        else:
            for i, stride in enumerate(self.strides):
                h = _elu(self._residual(h, stride, f"{name}_block{i}"), f"{name}_elu{i}")
            h = keras.layers.Flatten(name=f"{name}_flatten")(h)
        h = _elu(_dense(self.hidden, f"{name}_hidden", h), f"{name}_elu")
        return keras.Model(image, h, name=f"{name}_features")

    def decoder(self, name, latent_dim, image_shape, likelihood):
        """A layer from z to p(x | z)  (tables 5.4 and 5.5, figure 5.3)."""
        family = pixels.PIXELS[likelihood]
        code = keras.Input([latent_dim], name=f"{name}_code")
        if self.kind == "autoregressive":
            trunk = keras.Model(code, self._maps(code, image_shape, name), name=f"{name}_trunk")
            net = PixelCNN(
                image_shape, self.filters, self.masked_filters or self.filters, self.masked_blocks, family,
                name=f"{name}_pixels",
            )  # fmt: skip
            return PixelCNNDecoder(trunk, net, name=name)
        num = family.num_params * image_shape[-1]
        if self.kind == "dense":
            h = _elu(_dense(self.hidden, f"{name}_hidden0", code), f"{name}_elu0")
            h = _elu(_dense(self.hidden, f"{name}_hidden1", h), f"{name}_elu1")
            h = _dense(num * math.prod(image_shape[:2]), f"{name}_params", h)
        else:
            h = _elu(self._maps(code, image_shape, name), f"{name}_elu")
            h = _normalised(keras.layers.Conv2D(num, 1, name=f"{name}_params_linear"), f"{name}_params", h)
            h = keras.layers.Flatten(name=f"{name}_flatten")(h)
        trunk = keras.Model(code, h, name=f"{name}_trunk")
        return Conditional(tf.identity, trunk, _of_vectors(family, image_shape), name=name)

    def _maps(self, code, image_shape, name):
        """z -> maps of the image's size, by deconvolutional residual blocks."""
        sides = [tuple(image_shape[:2])]
        for stride in self.strides:
            sides.append(tuple(-(-side // stride) for side in sides[-1]))
        coarsest = (*sides[-1], self.filters)
        h = _dense(math.prod(coarsest), f"{name}_coarse", code)
        h = keras.layers.Reshape(coarsest, name=f"{name}_reshape")(h)
        for i, (stride, side) in reversed(list(enumerate(zip(self.strides, sides)))):
            h = self._residual(_elu(h, f"{name}_elu{i}"), stride, f"{name}_block{i}", transposed=True)
            # A side that the stride does not divide was rounded up.
            surplus = [(0, have - want) for have, want in zip(h.shape[1:3], side)]
            if any(more for _, more in surplus):
                h = keras.layers.Cropping2D(surplus, name=f"{name}_crop{i}")(h)
        return h

    def _residual(self, u, stride, name, transposed=False):
        """v = g(elu(g(u))) + u, the second convolution and the way around it with the stride  (eq. 5.1, figure 5.2)."""
        kind = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D

        def conv(number, h, stride=1):
            layer = kind(self.filters, 3, stride, padding="same", name=f"{name}_conv{number}_linear")
            return _normalised(layer, f"{name}_conv{number}", h)

        inner = conv(1, _elu(conv(0, u), f"{name}_elu"), stride)
        around = u if stride == 1 and u.shape[-1] == self.filters else conv(2, u, stride)
        return keras.layers.Add(name=f"{name}_add")([inner, around])


class Gaussian(keras.layers.Layer):
    """q(z | h), linear in features: a mean, and a standard deviation through a softplus  (table 5.1).

    Args:
        width: of h.
        latent_dim: Z.
    """

    def __init__(self, width, latent_dim, **kwargs):
        super().__init__(**kwargs)
        layer = keras.layers.Dense(2 * latent_dim, name=f"{self.name}_linear")
        self.params = WeightNorm(layer, [None, width], name=f"{self.name}_params")
        self.built = True

    def call(self, h):
        return families.SOFTPLUS_GAUSSIAN.distribution(self.params(h))


class Merged(keras.layers.Layer):
    """q(z | x, y, ...): features of all modalities, each through a linear layer, summed  (table 5.3).

    Args:
        widths: modality -> width of its features.
        hidden: units of the sum.
        latent_dim: Z.
    """

    def __init__(self, widths, hidden, latent_dim, **kwargs):
        super().__init__(**kwargs)
        self.maps = {
            name: WeightNorm(
                keras.layers.Dense(hidden, name=f"{self.name}_{name}_linear"), [None, width], name=f"{self.name}_{name}"
            )
            for name, width in widths.items()
        }
        self.gaussian = Gaussian(hidden, latent_dim, name=f"{self.name}_z")
        self.built = True

    def call(self, features):
        return self.gaussian(tf.nn.elu(tf.add_n([self.maps[name](h) for name, h in features.items()])))


class OneOf(keras.layers.Layer):
    """p(y | z) of a label.

    Args:
        latent_dim: Z.
        num_classes: K.
        hidden: units between.
    """

    def __init__(self, latent_dim, num_classes, hidden, **kwargs):
        super().__init__(**kwargs)
        code = keras.Input([latent_dim], name=f"{self.name}_code")
        h = _elu(_dense(hidden, f"{self.name}_hidden", code), f"{self.name}_elu")
        self.trunk = keras.Model(code, _dense(num_classes, f"{self.name}_logits", h), name=f"{self.name}_trunk")
        self.built = True

    def call(self, z, training=False):
        return families.CATEGORICAL.distribution(batch_apply(self.trunk, z, training=training))


def label_features(name, num_classes, hidden):
    """A model from one-hot labels to features."""
    label = keras.Input([num_classes], name=f"{name}_label")
    return keras.Model(
        label, _elu(_dense(hidden, f"{name}_hidden", label), f"{name}_elu"), name=f"{name}_features"
    )  # fmt: skip


def _of_vectors(family, image_shape):
    """A family of pixels for a network that puts out vectors."""

    def distribution(params):
        shape = tf.concat([tf.shape(params)[:-1], [*image_shape, family.num_params]], axis=0)
        return family(tf.reshape(params, shape))

    return families.Family(lambda dim: family.num_params * dim, distribution)


def _normalised(layer, name, h):
    return WeightNorm(layer, h.shape, name=name)(h)


def _dense(units, name, h):
    return _normalised(keras.layers.Dense(units, name=f"{name}_linear"), name, h)


def _elu(h, name):
    return keras.layers.Activation("elu", name=name)(h)
