"""Gradients that pass a hard draw as if it were soft: Gumbel-softmax, and expectations block by block."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae.inference import maps
from tfvae.inference.maps import MapDraw, MapLikelihood, Surrogate
from tfvae.layers import unpooling
from tfvae.networks.dgdn import Deconvnet
from tfvae.probability import noise


class GumbelSoftmax(keras.layers.Layer):
    """Straight-through Gumbel-softmax: forwards the hard outcome, backwards the relaxed one, in encoder and decoder.

    Args:
        temperature: τ of the relaxation.

    Jang et al. 2017; Maddison et al. 2017.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = temperature
        self.built = True

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        u = noise.uniform(tf.shape(logits), seed)
        gumbel = -tf.math.log(-tf.math.log(tf.clip_by_value(u, 1e-20, 1.0 - 2.0**-24)))
        relaxed = tf.nn.softmax((logits + gumbel) / self.temperature)
        position = tf.argmax(relaxed, axis=-1, output_type=tf.int32)
        hard = maps.observed(logits, position, block)
        mask = hard.up + _gradient_only(relaxed, block)
        return hard._replace(up=mask, down=mask)

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        return Surrogate(likelihood.total() - maps.total_divergence(draws), 0.0)


class LocalExpectation(keras.layers.Layer):
    """Each block's expectation over its own outcomes, all other blocks held at their draw.

    Given the code and the lower maps the decoder is linear, so moving a pooled value v from cell a to cell b changes
    log p(x | s, u) by  v (g_b − g_a) − ½ α₀ v² ‖D_b − D_a‖²  exactly, g being the gradient in the unpooled maps, which
    backpropagation has anyway, and D_b the dictionary element at cell b. The draw itself then costs no variance but
    through the other blocks. What a block changes by way of the code s is left out, as with local signals; in layers
    above the lowest the quadratic term is left out too, because D_b is there seen through the maps below. At the
    border, where an image was padded, ‖D_b − D_a‖ counts the cropped pixels. Not in the source; the idea is that of
    Titsias & Lázaro-Gredilla 2015, "Local expectation gradients".

    Args:
        deconvnet: `tfvae.networks.dgdn.Deconvnet`.
    """

    def __init__(self, deconvnet: Deconvnet, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.overlap = deconvnet.overlap
        self.built = True

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        hard = maps.hard_draw(logits, block, seed)
        return hard._replace(down=hard.down + _gradient_only(tf.nn.softmax(logits), block))

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        value = likelihood.total() - maps.total_divergence(draws)
        if draws:
            value -= self._curvature(draws[0], likelihood)
        return Surrogate(value, 0.0)

    def _curvature(self, draw: MapDraw, likelihood: MapLikelihood) -> tf.Tensor:
        """Σ_blocks Σ_b q(b) ½ α₀ v² ‖D_b − D_a‖²: [N]; only q has a gradient."""
        overlap = self.overlap()
        energy = tf.linalg.diag_part(overlap)  # [K, P], ‖D_b‖².
        distance = energy[:, :, None] + energy[:, None, :] - 2.0 * overlap  # [K, P, P]
        from_drawn = tf.einsum("nhwka,kab->nhwkb", tf.one_hot(draw.position, draw.logits.shape[-1]), distance)
        cost = 0.5 * likelihood.precision * likelihood.pooled[..., None] ** 2 * from_drawn
        return tf.reduce_sum(tf.nn.softmax(draw.logits) * tf.stop_gradient(cost), axis=[1, 2, 3, 4])


def _gradient_only(probs: tf.Tensor, block: int) -> tf.Tensor:
    """A mask of zeros whose gradient is that of the probabilities of the cells: [N, h, w, K, P] -> [N, H, W, K]."""
    cells = unpooling.from_blocks(probs[..., : block**2], block)
    return cells - tf.stop_gradient(cells)
