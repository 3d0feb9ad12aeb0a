"""p(b | s): tags by a focused topic model, whose topics are the elements of the top dictionary.

    λ = Φ w,   w_k = g_k z_k,   c_i ~ Poisson(λ_i),   b_i = 1 where c_i > 0:   p(b_i = 1) = 1 − exp(−λ_i)

Column k of Φ says which words go with element k, z_k whether the element is used in an image. The source's z_k is the
indicator of a spike and slab; here codes are Gaussian, and `usage` stands for it.

Pu 2017, section 3.3.3, eqs. (3.28) to (3.32); Williamson et al. 2010.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.batch import IMAGE, TAGS
from tfvae.capabilities import Capability, Endpoint
from tfvae.heads.head import Head

USAGES = ("energy", "projection")
# Below it a rate is taken for it, so that log p of a tag that is there stays finite.
_LEAST_RATE = 1e-20
# Logits and logarithms are held divided by it: a step of Adam, which is as long for every variable, moves them ten
# times as far as it moves filters. On the digits, 60 epochs, the mean average precision goes from 70 to 94 %.
_PACE = 10.0
_SOFTPLUS_TO_1 = float(np.log(np.e - 1.0))


@dataclasses.dataclass
class Config:
    """A focused topic model.

    Args:
        usage: what stands for z_k, the indicator that element k is used. `energy`: sigmoid(a_k |S⁽ᵏ⁾|² + b_k), a_k > 0,
            the posterior probability of z_k = 1 where the spike of eq. (3.28) is N(0, ε² I), ε < 1, in the place of a
            point at 0: its log odds are exactly linear in the energy of the map S⁽ᵏ⁾. `projection`: sigmoid(v_kᵀ S⁽ᵏ⁾ +
            b_k), which sees the sign of a map and where in it an element is used; then an element is on or off by what
            it adds to an image rather than by how much.
        concentration: of the symmetric Dirichlet prior of the columns of Φ.
        strength_prior: (a, b) of the Gamma prior of g_k, b a rate.
    """

    usage: str = ranges.field("energy", ranges.Choices(USAGES))
    concentration: float = ranges.field(0.1, ranges.POSITIVE)
    strength_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)


class Tags(Head):
    """p(b | s) = Π_i Bernoulli(b_i; 1 − exp(−λ_i)).

    g is one for all images: what differs between them is the usage. The source draws g anew for every image, and
    integrates it out by sampling.

    Args:
        code_shape: (h, w, K) of the top layer's maps, whose last axis runs fastest in a code.
        names: of the L tags.
        config: `Config`.
    """

    def __init__(self, code_shape: tuple[int, int, int], names: Sequence[str], config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs, dtype="float32")
        ranges.check(config, "model.tags")
        self.config, self.names = config, tuple(names)
        height, width, num_elements = code_shape
        self.cells, self.num_elements = height * width, num_elements
        shape = [len(self.names), num_elements]
        self.topic_logits = self._held("topic_logits", shape, keras.initializers.RandomNormal(0.0, 0.1 / _PACE))
        # Of elements that are half used, all together then say one tag of three or so.
        self.log_strength = self._held("log_strength", [num_elements], float(np.log(len(self.names) / num_elements)))
        self.usage_bias = self._held("usage_bias", [num_elements], -1.0 if self._by_energy else 0.0)
        if self._by_energy:
            self.usage_slope = self._held("usage_slope", [num_elements], _SOFTPLUS_TO_1)
        else:
            of_cell = keras.initializers.RandomNormal(0.0, 1.0 / (_PACE * np.sqrt(self.cells)))
            self.usage_slope = self._held("usage_slope", [self.cells, num_elements], of_cell)
        self.built = True

    @property
    def _by_energy(self) -> bool:
        return self.config.usage == "energy"

    def topics(self) -> tf.Tensor:
        """Φᵀ: of every element the probabilities of the words, [K, L]."""
        return tf.transpose(tf.nn.softmax(_PACE * self.topic_logits, axis=0))

    def usage(self, z: tf.Tensor, squares: tf.Tensor | None = None) -> tf.Tensor:
        """How surely every element is used: z [..., Z] -> [..., K], between 0 and 1.

        Args:
            z: codes.
            squares: s², or their expectations, [..., Z]; by default those of `z`.
        """
        bias, slope = _PACE * self.usage_bias, _PACE * self.usage_slope
        if self._by_energy:
            energy = tf.reduce_mean(self._maps(z**2 if squares is None else squares), axis=-2)
            return tf.sigmoid(tf.nn.softplus(slope) * energy + bias)
        return tf.sigmoid(tf.reduce_sum(self._maps(z) * slope, axis=-2) + bias)

    def rates(self, usage: tf.Tensor) -> tf.Tensor:
        """λ = Φ (g ∘ z): usages [..., K] -> [..., L]."""
        weights = tf.exp(_PACE * self.log_strength)[:, None] * self.topics()
        return tf.maximum(tf.linalg.matmul(usage, weights), _LEAST_RATE)

    def log_prob(self, z: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
        """log p(b | s) = Σ_i b_i log(1 − exp(−λ_i)) − (1 − b_i) λ_i: [B], nats, for z [B, Z] and tags [B, L]."""
        rates = self.rates(self.usage(z))
        return tf.reduce_sum(tags * tf.math.log(-tf.math.expm1(-rates)) - (1.0 - tags) * rates, axis=-1)

    def log_prior(self) -> tf.Tensor:
        """log p(Φ) + log p(g) up to a constant, as a scalar in nats, by the densities of what is learned.

        Of the logits of Φ and of log g, the Jacobians counted: Σ α log φ and Σ (a log g − b g). So both have a mode for
        every α and a, where a density of φ itself has none for α < 1.
        """
        log_topics = tf.math.log_softmax(_PACE * self.topic_logits, axis=0)
        log_g = _PACE * self.log_strength
        a, b = self.config.strength_prior
        of_strengths = tf.reduce_sum(a * log_g - b * tf.exp(log_g))
        return self.config.concentration * tf.reduce_sum(log_topics) + of_strengths

    def num_outcomes(self, target: tf.Tensor) -> int:
        """L, the number of tags."""
        del target
        return len(self.names)

    def predict(self, z: tf.Tensor, squares: tf.Tensor | None = None) -> tf.Tensor:
        """Probabilities of the tags, averaged over draws of the code: z [S, B, Z] -> [B, L].

        Args:
            z: draws, or the mean of the code.
            squares: of a mean, the expectations of s² too, [S, B, Z]: the energy of a code is on average not that of
                the average code.
        """
        return tf.reduce_mean(-tf.math.expm1(-self.rates(self.usage(z, squares))), axis=0)

    def answers(self, model: Any) -> dict[str, Callable]:
        return {
            Capability.TAG: functools.partial(self.tag, model),
            "tag_topics": self.topics,
            "tag_usage": functools.partial(self.mean_usage, model),
        }

    def endpoints(self, model: Any) -> dict[str, Endpoint]:
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        return {"tag": Endpoint(lambda image: {TAGS: self.tag(model, image)}, [image])}

    def tag(self, model: Any, image: tf.Tensor, num_samples: int = 1, seed: tf.Tensor | None = None) -> tf.Tensor:
        """p(b_i = 1 | x) of every tag: [B, L].

        Args:
            model: has `codes` and `encode`.
            image: [B, H, W, C].
            num_samples: S, draws of the code that are averaged over; only with a seed.
            seed: int32 [2]; None for the mean usage, the same every time.
        """
        if seed is not None:
            return self.predict(model.codes(image, num_samples, seed))
        return self.predict(*(moment[None] for moment in _moments(model.encode(image))))

    def mean_usage(self, model: Any, image: tf.Tensor) -> tf.Tensor:
        """g_k times how surely element k is used, at the mean energy of the code: [B, K], how much it says."""
        return tf.exp(_PACE * self.log_strength) * self.usage(*_moments(model.encode(image)))

    def _held(self, name: str, shape: list[int], value: Any) -> keras.Variable:
        """A variable that stands for `_PACE` times itself, beginning with a number or an initialiser."""
        initializer = keras.initializers.Constant(value / _PACE) if isinstance(value, float) else value
        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def _maps(self, z: tf.Tensor) -> tf.Tensor:
        """[..., Z] -> [..., h·w, K]."""
        return tf.reshape(z, tf.concat([tf.shape(z)[:-1], [self.cells, self.num_elements]], axis=0))


def _moments(q_s: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """E[s] and E[s²] of a Gaussian."""
    return q_s.mean(), q_s.mean() ** 2 + q_s.variance()
