"""Fully connected networks."""

import dataclasses

import keras
import numpy as np

from tfvae import ranges
from tfvae.layers.conditional import Conditional
from tfvae.layers.merge import LinearMerge
from tfvae.networks import implicit
from tfvae.probability import families

OUTPUT_INITS = ("glorot", "small")


@dataclasses.dataclass
class Config:
    """Shape of the fully connected networks of a model.

    Args:
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
        batch_norm: dense → batch norm → activation in hidden layers; never on the output.
        momentum: of the batch normalisation's running averages.
        output_init: initialisation of the output layer: `glorot` (paper), or `small`, N(0, 1e-3) (the authors' code).
    """

    hidden: tuple[int, ...] = ranges.field((500, 500), ranges.WIDTHS, shortest=1)
    activation: str = ranges.field("relu", ranges.ACTIVATIONS)
    batch_norm: bool = False
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)
    output_init: str = ranges.field("glorot", ranges.Choices(OUTPUT_INITS))

    # What a model of x and one code z asks of its networks (see `tfvae.networks`).

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations are not vectors.
        """
        if len(image_shape) != 1:
            raise ValueError(
                f"Fully connected networks read vectors, got observations of shape {tuple(image_shape)}: set "
                "`data.transform.flatten=True`."
            )

    def capabilities(self):
        """Capabilities that a model has because of this network."""
        return frozenset()

    def prior(self, latent_dim):
        return families.standard_normal(latent_dim)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        return conditional(name, {"z": latent_dim}, families.LIKELIHOODS[likelihood], int(np.prod(image_shape)), self)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        return conditional(name, {"x": int(np.prod(image_shape))}, family, latent_dim, self)

    def implicit(self, name, image_shape, latent_dim):
        return implicit.ImplicitMLP(int(np.prod(image_shape)), latent_dim, self, name=name)

    def label_network(self, latent_dim, num_classes):
        """None: a linear classifier."""


def _glorot():
    return "glorot_uniform", "zeros"


def _small():
    # Made anew for every layer: an initialiser keeps its seed, so a shared one would start all layers alike.
    return keras.initializers.RandomNormal(stddev=1e-3), keras.initializers.RandomNormal(stddev=1e-3)


def conditional(name, parents, family, dim, config):
    """p(child | parents) as a fully connected network, built.

    Args:
        name: of the layer, unique in its model.
        parents: parent name -> width, in the order of the call.
        family: of the child.
        dim: dimensions of the child.
        config: `Config`.
    """
    merge = LinearMerge(parents, config.hidden[0], name=f"{name}_merge")
    return Conditional(merge, _trunk(name, family.num_params(dim), config), family, name=name)


def _trunk(name, num_params, config):
    """From the merged pre-activation [N, hidden[0]] to parameters [N, num_params]."""
    kernel, bias = _small() if config.output_init == "small" else _glorot()
    inputs = h = keras.Input([config.hidden[0]], name=f"{name}_input")
    for i, width in enumerate(config.hidden):
        if i:
            h = keras.layers.Dense(width, use_bias=not config.batch_norm, name=f"{name}_dense{i}")(h)
        if config.batch_norm:
            h = keras.layers.BatchNormalization(momentum=config.momentum, name=f"{name}_norm{i}")(h)
        h = keras.layers.Activation(config.activation, name=f"{name}_{config.activation}{i}")(h)
    # Parameters of distributions are float32 in every precision policy.
    params = keras.layers.Dense(
        num_params, kernel_initializer=kernel, bias_initializer=bias, dtype="float32", name=f"{name}_params"
    )(h)
    return keras.Model(inputs, params, name=f"{name}_trunk")
