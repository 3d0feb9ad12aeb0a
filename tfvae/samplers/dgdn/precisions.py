"""The two precisions, and moves along the scales that the images do not see."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn.state import Prior

# The smallest precision of a code.
_LEAST_OF_CODE = 1e-6


class Squares(NamedTuple):
    """What a precision is drawn from, float64 scalars.

    total:   of the squares.
    numbers: how many.
    """

    total: tf.Tensor
    numbers: tf.Tensor

    @classmethod
    def zeros(cls) -> "Squares":
        return cls(tf.constant(0.0, tf.float64), tf.constant(0.0, tf.float64))

    @classmethod
    def of(cls, values: tf.Tensor) -> "Squares":
        """Of all entries of a tensor."""
        return cls(tf.reduce_sum(tf.cast(values, tf.float64) ** 2), tf.cast(tf.size(values), tf.float64))

    @classmethod
    def of_code(cls, code: tf.Tensor) -> "Squares":
        """Of a code [N, H, W, K]; numbers of maps that are off, exactly 0, do not count."""
        on = tf.reduce_sum(tf.cast(tf.reduce_any(code != 0.0, axis=[1, 2]), tf.float64))
        return cls(tf.reduce_sum(tf.cast(code, tf.float64) ** 2), on * float(code.shape[1] * code.shape[2]))


def noise_precision(
    squares: Squares, prior: Prior, seed: tf.Tensor, most: tf.Tensor | float | None = None
) -> tf.Tensor:
    """γ_e | all else ~ Gamma(a + numbers / 2, b + Σ r² / 2), below its largest value.

    Args:
        squares: `Squares` of the residual.
        prior: `Prior`.
        seed: int32 [2].
        most: the largest value; `prior.max_noise_precision` by default.
    """
    most = prior.max_noise_precision if most is None else most
    shape, rate = prior.noise[0] + 0.5 * squares.numbers, prior.noise[1] + 0.5 * squares.total
    if isinstance(most, float) and np.isinf(most):
        return tf.cast(conjugate.gamma(shape, rate, seed), tf.float32)
    return tf.cast(conjugate.truncated_gamma(shape, rate, tf.cast(most, tf.float64), seed), tf.float32)


def code_precision(squares: Squares, prior: Prior, seed: tf.Tensor) -> tf.Tensor:
    """γ_s | all else ~ Gamma(a + numbers / 2, b + Σ s² / 2), of `Squares` of the code.

    Where every map is off the diffuse prior alone is left, whose draws are 0 in any arithmetic: the scale of the code
    is then held at a thousand.
    """
    shape, rate = prior.code[0] + 0.5 * squares.numbers, prior.code[1] + 0.5 * squares.total
    return tf.maximum(tf.cast(conjugate.gamma(shape, rate, seed), tf.float32), _LEAST_OF_CODE)


def rescale(dictionaries: Sequence[tf.Tensor], seed: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """D⁽ᵏ⁾ of a layer times c and slice k of all elements above divided by c, for every k of all layers but the top.

    The images do not see c; under the dictionaries' prior c² ~ GIG((dim_up − dim_down) / 2, |D⁽ᵏ⁾|², |slice k|²).

    Returns:
        (dictionaries, c [K] of every layer but the top).
    """
    found, scales = list(dictionaries), []
    for layer in range(len(found) - 1):
        c = _scale(_squares(found[layer], [0, 1, 2]), _squares(found[layer + 1], [0, 1, 3]), found, layer, seed)
        found[layer], found[layer + 1] = found[layer] * c, found[layer + 1] / c[:, None]
        scales.append(c)
    return tuple(found), scales


def rescale_top(
    dictionaries: Sequence[tf.Tensor], code: tf.Tensor, code_precision: tf.Tensor, seed: tf.Tensor
) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
    """(dictionaries, code): the same for the top layer's elements and their maps in all images.

    Only without classifiers, which see the scale of the code, and without the spike.
    """
    top = dictionaries[-1]
    up, down = np.prod(top.shape[:3]), float(code.shape[1] * code.shape[2]) * tf.cast(tf.shape(code)[0], tf.float64)
    weight = tf.cast(code_precision, tf.float64)
    c = _of_gig(up, down, _squares(top, [0, 1, 2]), weight * _squares(code, [0, 1, 2]), noise.fold_in(seed, -1))
    return (*dictionaries[:-1], top * c), code / c


def _scale(up: tf.Tensor, down: tf.Tensor, dictionaries: Sequence[tf.Tensor], layer: int, seed: tf.Tensor) -> tf.Tensor:
    of_up, of_down = dictionaries[layer].shape, dictionaries[layer + 1].shape
    numbers = np.prod(of_up[:3]), of_down[0] * of_down[1] * of_down[3]
    return _of_gig(*numbers, up, down, noise.fold_in(seed, layer))


def _of_gig(
    num_up: int | tf.Tensor, num_down: int | tf.Tensor, up: tf.Tensor, down: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """c of every element, float32 [K]."""
    order = 0.5 * (tf.cast(num_up, tf.float64) - tf.cast(num_down, tf.float64))
    squared = conjugate.generalised_inverse_gaussian(tf.fill(up.shape, order), up, down, seed)
    return tf.cast(tf.sqrt(squared), tf.float32)


def _squares(values: tf.Tensor, axis: Sequence[int]) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(values, tf.float64) ** 2, axis=axis) + 1e-300
