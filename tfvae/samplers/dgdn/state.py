"""What a chain draws, and what it is told."""

from typing import NamedTuple

import tensorflow as tf


class Local(NamedTuple):
    """What is drawn for each of N images.

    maps: of every pooled layer, uint8 [N, h, w, K], the cell of each block; block² for a blank one.
    code: [N, H, W, K], s: activations of the top layer.
    """

    maps: tuple[tf.Tensor, ...]
    code: tf.Tensor


class Global(NamedTuple):
    """What all images share.

    dictionaries:    of every layer from the image up, [n, n, K below, K].
    noise_precision: [], γ_e of the residual.
    code_precision:  [], γ_s of the top layer's weights.
    usage:           [K], π of the top layer's maps; 1 without the spike.
    beta:            [Z + 1, C], of the classifiers; the last row is that of a constant 1. C is 0 without labels.
    kappa:           [], rate of the classifiers' shrinkage.
    """

    dictionaries: tuple[tf.Tensor, ...]
    noise_precision: tf.Tensor
    code_precision: tf.Tensor
    usage: tf.Tensor
    beta: tf.Tensor
    kappa: tf.Tensor


class Data(NamedTuple):
    """What is observed of N images.

    image:    [N, H, W, C].
    sign:     [N, K], 1 at an image's class and −1 at the others; 0 everywhere for an image without a label.
    """

    image: tf.Tensor
    sign: tf.Tensor


class Prior(NamedTuple):
    """The model around the dictionaries, whose prior is N(0, I).

    concentration:       of the Dirichlet over outcomes of a block; 0 for 1 / block², as the source prints it.
    uniform_maps:        every outcome is equally probable instead.
    noise, code:         (shape, rate) of the Gammas of γ_e and γ_s.
    max_noise_precision: γ_e stays below; its Gamma is truncated there.
    spike:               whether a map of the top layer may be off as a whole (eqs. 3.28 and 3.29).
    usage:               (a, b) of the Beta of π.
    gamma:               γ of the support vector machines.
    kappa:               (shape, rate) of the Gamma of κ.
    """

    concentration: float = 0.0
    uniform_maps: bool = False
    noise: tuple[float, float] = (1e-6, 1e-6)
    code: tuple[float, float] = (1e-6, 1e-6)
    max_noise_precision: float = float("inf")
    spike: bool = False
    usage: tuple[float, float] = (1.0, 1.0)
    gamma: float = 1.0
    kappa: tuple[float, float] = (1.0, 1.0)
