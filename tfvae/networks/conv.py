"""Convolutional networks of an image and one code."""

import dataclasses

import keras
import numpy as np

from tfvae import ranges
from tfvae.layers.conditional import Conditional
from tfvae.layers.merge import LinearMerge
from tfvae.networks import implicit
from tfvae.probability import families


@dataclasses.dataclass
class Config:
    """All-convolutional networks of one shape in both directions: strides in the place of pooling.

    Args:
        filters: of the encoder's layers, and in reverse of the decoder's.
        kernel: side of every filter.
        stride: of every layer.
        activation: of the hidden layers.

    Pu 2017, section 4.5.3 (32 and 64 kernels of 5×5, stride 2, leaky ReLU); Springenberg et al. 2015.
    """

    filters: tuple[int, ...] = ranges.field((32, 64), ranges.WIDTHS, shortest=1)
    kernel: int = ranges.field(5, ranges.SIDES)
    stride: int = ranges.field(2, ranges.SIDES)
    activation: str = ranges.field("leaky_relu", ranges.ACTIVATIONS)

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations are not images.
        """
        check_images(image_shape)

    def capabilities(self):
        """Capabilities that a model has because of this network."""
        return frozenset()

    def prior(self, latent_dim):
        return families.standard_normal(latent_dim)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        return linear_encoder(name, image_shape, lambda image: self._features(name, image, first=0), latent_dim, family)

    def implicit(self, name, image_shape, latent_dim):
        align = keras.Sequential(
            [keras.Input([latent_dim]), keras.layers.Dense(image_shape[0] * image_shape[1], name=f"{name}_plane_dense"),
             keras.layers.Reshape([*image_shape[:2], 1], name=f"{name}_plane_reshape")], name=f"{name}_plane",
        )  # fmt: skip
        of_image, of_noise = self._conv(0, f"{name}_image"), self._conv(0, f"{name}_noise", use_bias=False)
        of_image.build([None, *image_shape])
        of_noise.build([None, *image_shape[:2], 1])
        first = keras.Input(of_image.compute_output_shape([None, *image_shape])[1:], name=f"{name}_merged")
        activated = keras.layers.Activation(self.activation, name=f"{name}_activation0")(first)
        codes = _dense(latent_dim, f"{name}_codes")(self._features(name, activated, first=1))
        trunk = keras.Model(first, codes, name=f"{name}_trunk")
        widest = max(int(np.prod(first.shape[1:])), int(np.prod(image_shape)))
        return implicit.ImplicitConvolutional(latent_dim, align, of_image, of_noise, trunk, widest, name=name)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        family = families.of_images(families.LIKELIHOODS[likelihood], image_shape)
        sides = [image_shape[:2]]
        for _ in self.filters:
            sides.insert(0, tuple(-(-side // self.stride) for side in sides[0]))
        outputs = [*reversed(self.filters[:-1]), family.num_params(image_shape[-1])]
        first = (*sides[0], self.filters[-1])
        inputs = h = keras.Input([int(np.prod(first))], name=f"{name}_input")
        h = keras.layers.Reshape(first, name=f"{name}_reshape")(h)
        for i, (filters, side) in enumerate(zip(outputs, sides[1:])):
            h = keras.layers.Activation(self.activation, name=f"{name}_activation{i}")(h)
            h = keras.layers.Conv2DTranspose(
                filters, self.kernel, self.stride, padding="same", name=f"{name}_transposed{i}"
            )(h)
            # A side that the stride does not divide was rounded up.
            surplus = [(0, have - want) for have, want in zip(h.shape[1:3], side)]
            h = keras.layers.Cropping2D(surplus, name=f"{name}_crop{i}")(h)
        trunk = keras.Model(inputs, parameter_maps(h, image_shape, name), name=f"{name}_trunk")
        merge = LinearMerge({"z": latent_dim}, int(np.prod(first)), name=f"{name}_merge")
        return Conditional(merge, trunk, family, name=name)

    def label_network(self, latent_dim, num_classes):
        """None: a linear classifier."""

    def _features(self, name, h, first):
        """The encoder's layers from number `first` on, flattened."""
        for i in range(first, len(self.filters)):
            h = self._conv(i, f"{name}_conv{i}")(h)
            h = keras.layers.Activation(self.activation, name=f"{name}_activation{i}")(h)
        return keras.layers.Flatten(name=f"{name}_flatten")(h)

    def _conv(self, i, name, **kwargs):
        return keras.layers.Conv2D(self.filters[i], self.kernel, self.stride, padding="same", name=name, **kwargs)


def check_images(image_shape):
    """Checks that observations are images.

    Raises:
        ValueError: if they are of another shape than [H, W, C].
    """
    if len(image_shape) != 3:
        raise ValueError(
            f"Convolutional networks read images [H, W, C], got observations of shape {tuple(image_shape)}: set "
            "`data.transform.flatten=False`."
        )


def linear_encoder(name, image_shape, features, latent_dim, family=families.GAUSSIAN):
    """q(z | x), linear in the features of an image.

    Args:
        name: of the layer.
        image_shape: (H, W, C).
        features: from an image's tensor to [N, F].
        latent_dim: Z.
        family: of z.
    """
    image = keras.Input(image_shape, name=f"{name}_image")
    merge = keras.Model(image, features(image), name=f"{name}_features")
    flat = keras.Input(merge.output_shape[1:], name=f"{name}_flat")
    params = _dense(family.num_params(latent_dim), f"{name}_params")(flat)
    return Conditional(merge, keras.Model(flat, params, name=f"{name}_trunk"), family, name=name)


def parameter_maps(h, image_shape, name):
    """Maps [N, H, W, P C] of P parameters a pixel -> [N, P H W C], as the families of vectors expect them."""
    parameters = h.shape[-1] // image_shape[-1]
    h = keras.layers.Reshape([*image_shape[:2], parameters, image_shape[2]], name=f"{name}_split")(h)
    h = keras.layers.Permute([3, 1, 2, 4], name=f"{name}_permute")(h)
    return keras.layers.Reshape([parameters * int(np.prod(image_shape))], dtype="float32", name=f"{name}_params")(h)


def _dense(units, name):
    return keras.layers.Dense(units, dtype="float32", name=name)
