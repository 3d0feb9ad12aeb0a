"""Counts of words from a code: Poisson factor analysis and deep Poisson networks."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.capabilities import Capability
from tfvae.layers.conditional import Conditional
from tfvae.layers.loadings import Loadings
from tfvae.layers.merge import LinearMerge
from tfvae.networks import implicit, mlp
from tfvae.probability import families, gibbs
from tfvae.storage import numpy_files

# Sweeps of a Gibbs chain before it is used, and between two draws of it (Pu 2017, section 4.5.1).
_BURN_IN, _THIN = 2000, 10


@dataclasses.dataclass
class Config(mlp.Config):
    """An encoder of word counts, log(1 + x) first, and a decoder x ~ Poisson(θᵀ h) with topics θ on the simplex.

    With `layers` the code is Gaussian and h = softplus(… softplus(W z + b) …): a deep Poisson network, of which the
    source gives the widths alone (200, 200 and 50 units, the last being the code's); the layers between code and words
    are read as deterministic. Without, h = softplus(z) with h ~ Gamma: Poisson factor analysis. (As exp(z) large scores
    would have narrow posteriors beside those of small ones, and one kernel for all dimensions lets those collapse.)

    Args:
        layers: widths between the code and the words, the words' own first; () for factor analysis.
        gamma_shape, gamma_rate: of the prior of factor scores, without `layers`.
        loadings: an .npy file of topics [V, P], which then stay as they are; empty for topics that are learned.

    Pu 2017, sections 4.5.1 and 4.5.2; Ranganath et al. 2015; Zhou et al. 2012.
    """

    hidden: tuple[int, ...] = ranges.field((100,), ranges.WIDTHS, shortest=1)
    activation: str = ranges.field("tanh", ranges.ACTIVATIONS)
    layers: tuple[int, ...] = ranges.field((200, 200), ranges.WIDTHS)
    gamma_shape: float = ranges.field(1.0, ranges.POSITIVE)
    gamma_rate: float = ranges.field(1.0, ranges.POSITIVE)
    loadings: str = ranges.field("", ranges.EXISTING_PATH)

    def prior(self, latent_dim):
        if self.layers:
            return families.standard_normal(latent_dim)
        return families.SoftplusGamma(latent_dim, self.gamma_shape, self.gamma_rate)

    def capabilities(self):
        # Scores have a Gibbs sampler in factor analysis alone.
        return frozenset({Capability.TOPICS} if self.layers else {Capability.TOPICS, Capability.POSTERIOR})

    def posterior_draw_count(self):
        """Draws of p(h | x) that an evaluation takes of a Gibbs chain."""
        return 2000

    def posterior_draws(self, model, counts, num, seed):
        """Draws of the factor scores h under the model's topics, every tenth of a Gibbs chain: [num, B, V]."""
        topics, prior = model.p_x_given_z.loadings.topics().numpy(), gibbs.Prior(self.gamma_shape, self.gamma_rate)
        return gibbs.factor_scores(counts, topics, prior, burn_in=_BURN_IN, kept=num * _THIN, thin=_THIN, seed=seed)

    def compared(self, z):
        """Factor scores of codes."""
        return tf.math.softplus(z)

    def decoder(self, name, latent_dim, image_shape, likelihood):
        if likelihood != "poisson":
            raise ValueError(f"Counts need `model.likelihood=poisson`, got {likelihood!r}.")
        words = int(np.prod(image_shape))
        inputs = h = keras.Input([self.layers[-1] if self.layers else latent_dim], name=f"{name}_input")
        h = keras.layers.Activation("softplus", name=f"{name}_positive0")(h)
        for i, width in enumerate(reversed(self.layers[:-1]), start=1):
            h = keras.layers.Dense(width, activation="softplus", name=f"{name}_dense{i}")(h)
        loadings = Loadings(h.shape[-1], words, learned=not self.loadings, name=f"{name}_loadings")
        trunk = keras.Model(inputs, loadings(h), name=f"{name}_trunk")
        merge = LinearMerge({"z": latent_dim}, self.layers[-1], name=f"{name}_merge") if self.layers else tf.identity
        return TopicDecoder(merge, trunk, loadings, self.loadings, name=name)

    def encoder(self, name, image_shape, latent_dim, family=families.GAUSSIAN):
        plain = super().encoder(name, image_shape, latent_dim, family)
        return Conditional(_OfLogCounts(plain.merge, name=f"{name}_counts"), plain.trunk, plain.family, name=name)

    def implicit(self, name, image_shape, latent_dim):
        return implicit.ImplicitMLP(int(np.prod(image_shape)), latent_dim, self, observed=tf.math.log1p, name=name)


class TopicDecoder(Conditional):
    """p(x | z) of word counts.

    Args:
        merge, trunk: as of `Conditional`.
        loadings: the last layer of the trunk.
        path: of the topics that it starts from, empty for random ones.
    """

    def __init__(self, merge, trunk, loadings, path, **kwargs):
        super().__init__(merge, trunk, families.POISSON, **kwargs)
        self.loadings, self._path = loadings, path

    def initialise(self, counts):
        """The topics of the file; without one all topics begin near the words' frequencies in these documents.

        From the uniform distribution the rare words alone take thousands of steps to become rare.

        Args:
            counts: [N, P].

        Raises:
            ValueError: if the file does not exist, or does not hold topics of this shape.
        """
        if not self._path:
            self.loadings.tilt(counts.sum(axis=0))
            return
        topics = _topics(self._path)
        if topics.shape != tuple(self.loadings.logits.shape):
            raise ValueError(
                f"{self._path} holds topics of shape {topics.shape}, [factors, words] of the model is "
                f"{tuple(self.loadings.logits.shape)}. Set `model.latent_dim` to the number of topics."
            )
        self.loadings.assign(topics)


def _topics(path):
    """Topics [V, P] of an .npy file; every row adds up to one."""
    try:
        topics = numpy_files.read(path)
    except numpy_files.UnreadableArrays as error:
        raise ValueError(f"`network.loadings`: {error}") from error
    if topics.ndim != 2:
        raise ValueError(f"`network.loadings` {path} holds no matrix [factors, words]: give an .npy of one.")
    if (topics < 0).any() or not np.allclose(topics.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError(f"Every row of {path} is a distribution over words: not negative, with the sum 1.")
    return topics


class _OfLogCounts(keras.layers.Layer):
    """The first layer of an encoder, of log(1 + counts): a word said twice is not twice the news."""

    def __init__(self, merge, **kwargs):
        super().__init__(**kwargs)
        self.merge = merge
        self.built = True

    def call(self, counts):
        return self.merge(tf.math.log1p(counts))
