"""What a chain draws, and what it is told."""

from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tfvae.samplers.dgdn import clusters as mixtures
from tfvae.samplers.dgdn import tags as focused

# In the place of a field that a model does not have; it has no tensor. Which fields it has mypy cannot know.
Absent: TypeAlias = Any
NONE: Absent = ()


class Local(NamedTuple):
    """What is drawn for each of N images.

    maps: of every pooled layer, uint8 [N, h, w, K], the cell of each block; block² for a blank one.
    code: [N, H, W, K], s: activations of the top layer.
    cluster: int32 [N], of a model with clusters.
    strength: [N, K], g, of a model with tags.
    """

    maps: tuple[tf.Tensor, ...]
    code: tf.Tensor
    cluster: tf.Tensor | Absent = NONE
    strength: tf.Tensor | Absent = NONE


class Global(NamedTuple):
    """What all images share.

    dictionaries:    of every layer from the image up, [n, n, K below, K].
    noise_precision: [], γ_e of the residual.
    code_precision:  [], γ_s of the top layer's weights.
    usage:           [K], π of the top layer's maps; 1 without the spike.
    beta:            [Z + 1, C], of the classifiers; the last row is that of a constant 1. C is 0 without labels.
    kappa:           [], rate of the classifiers' shrinkage.
    mixture:         `clusters.Mixture`, of a model with clusters.
    phi:             [V, K], Φ, of a model with tags.
    """

    dictionaries: tuple[tf.Tensor, ...]
    noise_precision: tf.Tensor
    code_precision: tf.Tensor
    usage: tf.Tensor
    beta: tf.Tensor
    kappa: tf.Tensor
    mixture: mixtures.Mixture | Absent = NONE
    phi: tf.Tensor | Absent = NONE


class Data(NamedTuple):
    """What is observed of N images.

    image:    [N, H, W, C].
    sign:     [N, K], 1 at an image's class and −1 at the others; 0 everywhere for an image without a label.
    tags:     [N, V], 1 for those that an image has; −1 everywhere for an image without any.
    """

    image: tf.Tensor
    sign: tf.Tensor
    tags: tf.Tensor | Absent = NONE


class Prior(NamedTuple):
    """The model around the dictionaries, whose prior is N(0, I).

    concentration:       of the Dirichlet over outcomes of a block; 0 for 1 / block², as the source prints it.
    uniform_maps:        every outcome is equally probable instead.
    noise, code:         (shape, rate) of the Gammas of γ_e and γ_s.
    max_noise_precision: γ_e stays below; its Gamma is truncated there.
    spike:               whether a map of the top layer may be off as a whole (eqs. 3.28 and 3.29).
    usage:               (a, b) of the Beta of π.
    feedback:            whether labels and tags take part in what codes are drawn from; else only images do.
    gamma:               γ of the support vector machines.
    kappa:               (shape, rate) of the Gamma of κ.
    clusters:            `clusters.Prior` of a mixture that codes, or their usages, are drawn from; None for none.
    tags:                `tags.Prior` of a focused topic model on the spike; None for none.
    """

    concentration: float = 0.0
    uniform_maps: bool = False
    noise: tuple[float, float] = (1e-6, 1e-6)
    code: tuple[float, float] = (1e-6, 1e-6)
    max_noise_precision: float = float("inf")
    spike: bool = False
    usage: tuple[float, float] = (1.0, 1.0)
    feedback: bool = True
    gamma: float = 1.0
    kappa: tuple[float, float] = (1.0, 1.0)
    clusters: mixtures.Prior | None = None
    tags: focused.Prior | None = None
