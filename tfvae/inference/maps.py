"""Gradients through pooling maps: the contract of the estimators, and the draws and likelihoods that they see.

The bound on one image is  log p(x | s, u) − KL(q(s | x, u) ‖ p(s)) − Σ_l KL(q(u_l | x) ‖ uniform),  u ~ q(u | x). Its
gradient in the encoder has a part through s, which is reparameterised, and a part through the discrete u, which is what
the estimators differ in. Each is a `MapGradient`, those that learn something themselves a Keras layer.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfvae.layers import unpooling


class MapDraw(NamedTuple):
    """A map of one layer, drawn.

    logits:     [N, h, w, K, P].
    position:   int32 [N, h, w, K], the outcome.
    up:         [N, H, W, K], the mask by which the encoder pools.
    down:       [N, H, W, K], the same numbers, by which the decoder unpools; the two may have different gradients.
    log_ratio:  [N, h, w, K], log q(u) − log p(u) of the outcome of every block, nats.
    divergence: [N, h, w, K], KL(q(u) ‖ uniform) of every block, nats.
    """

    logits: tf.Tensor
    position: tf.Tensor
    up: tf.Tensor
    down: tf.Tensor
    log_ratio: tf.Tensor
    divergence: tf.Tensor


class MapLikelihood(NamedTuple):
    """The bound at a draw of all maps, in the parts that estimators weigh against each other.

    image:      [N, H, W, C].
    log_pixels: [N, H, W], log p(x | s, u) of each pixel, all its channels.
    kl_s:       [N], KL(q(s | x, u) ‖ p(s)), nats.
    kl_weight:  of `kl_s` at this step.
    targets:    [N], Σ_t ξ_t log p(t | s) of labels and captions, 0 where there are none.
    pooled:     [N, h, w, K], the values that the lowest layer unpools.
    precision:  scalar, α₀.
    """

    image: tf.Tensor
    log_pixels: tf.Tensor
    kl_s: tf.Tensor
    kl_weight: tf.Tensor | float
    targets: tf.Tensor
    pooled: tf.Tensor
    precision: tf.Tensor

    def total(self) -> tf.Tensor:
        """[N], the bound without the maps' own divergence."""
        return tf.reduce_sum(self.log_pixels, axis=[1, 2]) + (-self.kl_weight * self.kl_s + self.targets)


class Surrogate(NamedTuple):
    """value: [N], to be maximised, has the gradient of the bound; loss: scalar, what the estimator itself learns by."""

    value: tf.Tensor
    loss: tf.Tensor | float


class MapGradient(Protocol):
    """An estimator of the gradient through the maps."""

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        """A map of one layer, logits [N, h, w, K, P] of blocks of `block`² cells, by an int32 [2] seed."""

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        """The bound at draws of all layers, with its gradient; statistics of its own move in training alone."""


class NoMaps:
    """Of deterministic unpooling: where nothing is drawn the bound is its own surrogate."""

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        return hard_draw(logits, block, seed)

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        return Surrogate(likelihood.total(), 0.0)


class FrozenMaps:
    """Of an image model that is not trained: only the targets have a gradient, the bound is a constant."""

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        return hard_draw(logits, block, seed)

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        return Surrogate(likelihood.targets, 0.0)


def hard_draw(logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
    """A `MapDraw` without any gradient through the outcome."""
    return observed(logits, unpooling.draw_position(tf.stop_gradient(logits), seed), block)


def most_probable(logits: tf.Tensor, block: int, seed: tf.Tensor | None = None) -> MapDraw:
    """A `MapDraw` of the most probable outcomes."""
    del seed
    return observed(logits, tf.argmax(logits, axis=-1, output_type=tf.int32), block)


def expected(logits: tf.Tensor, block: int, seed: tf.Tensor | None = None) -> MapDraw:
    """A `MapDraw` whose masks hold the probabilities of the cells, so that a pooled value is its expectation."""
    cells = unpooling.from_blocks(tf.nn.softmax(logits)[..., : block**2], block)
    return most_probable(logits, block, seed)._replace(up=cells, down=cells)


def expected_upwards(logits: tf.Tensor, block: int, seed: tf.Tensor | None = None) -> MapDraw:
    """A `MapDraw` that pools as `expected` does and unpools by the most probable outcomes."""
    return most_probable(logits, block, seed)._replace(up=expected(logits, block).up)


def observed(logits: tf.Tensor, position: tf.Tensor, block: int) -> MapDraw:
    """A `MapDraw` of given outcomes [N, h, w, K]."""
    log_q, num_outcomes = tf.math.log_softmax(logits), logits.shape[-1]
    log_ratio = tf.reduce_sum(tf.one_hot(position, num_outcomes) * log_q, axis=-1) + float(np.log(num_outcomes))
    divergence = tf.reduce_sum(tf.exp(log_q) * log_q, axis=-1) + float(np.log(num_outcomes))
    mask = unpooling.mask_of(position, block)
    return MapDraw(logits, position, mask, mask, log_ratio, divergence)


def total_divergence(draws: Sequence[MapDraw]) -> tf.Tensor | float:
    """Σ_l Σ_blocks KL(q(u_l) ‖ uniform): [N], nats; 0 without maps."""
    return sum((tf.reduce_sum(draw.divergence, axis=[1, 2, 3]) for draw in draws), start=0.0)
