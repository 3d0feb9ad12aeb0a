"""Encoders for a decoder that is known: the Gaussian mixture of `tfvae.probability.gaussian_mixture`."""

import dataclasses

import keras

from tfvae import ranges
from tfvae.capabilities import Capability
from tfvae.networks import mlp
from tfvae.probability import gaussian_mixture, noise


@dataclasses.dataclass
class Config(mlp.Config):
    """Multilayer perceptrons as encoders; prior and decoder have nothing to learn.

    Args:
        noise: σ of x around θ z.

    Pu 2017, section 4.5.1.
    """

    hidden: tuple[int, ...] = ranges.field((100,), ranges.WIDTHS, shortest=1)
    activation: str = ranges.field("tanh", ranges.ACTIVATIONS)
    noise: float = ranges.field(0.1, ranges.POSITIVE)

    def check(self, image_shape):
        """Checks that the network fits the data.

        Raises:
            ValueError: if the observations do not have two dimensions.
        """
        if tuple(image_shape) != (2,):
            raise ValueError(f"The mixture has x of two dimensions, got {tuple(image_shape)}: `data.source=toy`.")

    def prior(self, latent_dim):
        if latent_dim != 2:
            raise ValueError(f"The mixture has z of two dimensions, got `model.latent_dim`={latent_dim}.")
        return gaussian_mixture.prior()

    def capabilities(self):
        return frozenset({Capability.POSTERIOR})

    def posterior_draw_count(self):
        """Draws of p(z | x) that an evaluation takes: they cost nothing."""
        return 20_000

    def posterior_draws(self, model, x, num, seed):
        """Draws of p(z | x) for x [B, 2]: [num, B, 2]."""
        del model  # The decoder is known without it.
        return gaussian_mixture.posterior(x, self.noise).sample(num, seed=noise.seed(seed)).numpy()

    def compared(self, z):
        """Codes as they are."""
        return z

    def decoder(self, name, latent_dim, image_shape, likelihood):
        if likelihood != "gaussian":
            raise ValueError(f"The mixture's x is Gaussian: `model.likelihood=gaussian`, got {likelihood!r}.")
        return _KnownDecoder(self.noise, name=name)


class _KnownDecoder(keras.layers.Layer):
    """p(x | z) of the mixture, with nothing to learn."""

    def __init__(self, noise, **kwargs):
        super().__init__(**kwargs)
        self.noise = noise
        self.built = True

    def call(self, z, training=False):
        del training
        return gaussian_mixture.likelihood(z, self.noise)
