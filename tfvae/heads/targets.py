"""Targets in an objective: which images of a batch have one, and what it is worth there.

The weight of a target is  ξ = w N_x / (n ρ),  ρ being the share of the batch's images that have it, N_x the size of an
image, and n what the target is one of or made of: classes of a label, words of a caption. Every image then weighs
alike.

Pu et al. 2016, section 4.1; Pu 2017, sections 3.4.3 and 4.4.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import IMAGE, Batch, Stream
from tfvae.heads.head import Head

# How N_x is read. Pu et al. 2016 and Pu 2017, section 3.4.3, print "the number of pixels in each image", of images that
# may have several colour bands; Pu 2017, section 4.4, prints "the dimension of x". Of colour images it is C times that.
TARGET_SCALES = ("pixels", "dimensions")


class Target(NamedTuple):
    """The rows of one stream that have the target of a head.

    name:   of the target, and of the entry that has it.
    stream: of the batch.
    first, end: the rows, in the order of the streams, the last not included.
    values: [end − first, ...].
    share:  ρ, of the batch's images.
    """

    name: str
    stream: str
    first: int
    end: int
    values: tf.Tensor
    share: float | tf.Tensor


class TargetTerms(NamedTuple):
    """The part of an objective that heads state.

    value:     [S·B], Σ over heads of ξ times their surrogates, 0 where a target is missing.
    log_prior: scalar, the batch's share of the log priors of the heads' weights.
    terms:     "<target>_log_prob" -> [rows], nats, the mean over draws.
    """

    value: tf.Tensor
    log_prior: tf.Tensor | float
    terms: dict[str, tf.Tensor]


def check_classes(label_weight: float, num_classes: int) -> None:
    """Checks that there is something to tell apart.

    Raises:
        ValueError: if the data of a head for labels have fewer than two classes.
    """
    if label_weight and num_classes < 2:
        raise ValueError(
            f"A head for labels needs at least two classes, the data has {num_classes}. Set `model.label_weight=0` for "
            "a model without it."
        )


def size_of_image(image_shape: tuple[int, ...], target_scale: str) -> int:
    """N_x by one of `TARGET_SCALES`, of observations [..., C]: their dimensions, or of images [H, W, C] the pixels."""
    has_channels = target_scale == "pixels" and len(image_shape) == 3
    return math.prod(image_shape[:2] if has_channels else image_shape)


def num_images(batch: Batch) -> int | tf.Tensor:
    """Images of all streams: an int, or a scalar where the last batch of some rows is smaller than the others."""
    return sum(_rows(entries) for entries in batch.values())


def targets(names: Iterable[str], batch: Batch) -> Iterator[Target]:
    """The targets of these names that a batch has."""
    first = 0
    for stream, entries in batch.items():
        end = first + _rows(entries)
        for name in names:
            if name in entries:
                yield Target(name, stream, first, end, entries[name], _share(end - first, num_images(batch)))
        first = end


def _rows(entries: Stream) -> tf.Tensor | int:
    image = entries[IMAGE]
    return tf.shape(image)[0] if image.shape[0] is None else image.shape[0]


def _share(part: tf.Tensor | int, whole: tf.Tensor | int) -> tf.Tensor | float:
    return tf.cast(part, tf.float32) / tf.cast(whole, tf.float32) if tf.is_tensor(whole) else part / whole


def weight(head: Head, scale: float, values: tf.Tensor, share: float | tf.Tensor) -> float | tf.Tensor:
    """ξ of targets: a scalar, or [rows] where targets differ in it; `scale` is w N_x."""
    return scale / (head.num_outcomes(values) * share)


def prior_share(weighted: bool, num_train: int, num_labelled: int) -> Callable[[Any, Any], Any]:
    """Of log p(β, κ), what an image of the batch bears: 1/N, for eq. (29) weighs the labels' likelihood alone.

    Args:
        weighted: whether ξ multiplies the prior too, ξ ρ / N_l, as tfvae 0.1 had it: where an image has many pixels, so
            strong a prior pays more for β = 0 than a few labels can for any other.
        num_train, num_labelled: N and N_l.
    """
    if weighted:
        return lambda xi, share: xi * share / max(num_labelled, 1)
    return lambda xi, share: 1.0 / num_train


def target_terms(
    heads: Mapping[str, Head],
    scales: Mapping[str, float],
    s: tf.Tensor,
    batch: Batch,
    num_samples: int,
    prior_share: Callable[[Any, Any], Any],
) -> TargetTerms:
    """Σ_t ξ_t log p(t | s) of every image, by surrogates, and log p of the heads' weights.

    Args:
        heads: target -> head.
        scales: target -> w N_x.
        s: [S·B, Z], a draw of all images after the other.
        batch: of streams, B images.
        num_samples: S.
        prior_share: (ξ, ρ) -> the share of a head's log prior that an image of the batch bears, by `prior_share`.
    """
    num = num_images(batch)
    by_draw = tf.reshape(s, [num_samples, num, s.shape[-1]])
    value, log_prior, terms = tf.zeros([num_samples, num]), 0.0, {}
    for target in targets(heads, batch):
        head = heads[target.name]
        z = tf.reshape(by_draw[:, target.first : target.end], [-1, s.shape[-1]])
        values = tf.tile(target.values, [num_samples, *[1] * (len(target.values.shape) - 1)])
        xi = weight(head, scales[target.name], values, target.share)
        of_rows = tf.reshape(xi * head.surrogate(z, values), [num_samples, -1])
        value += tf.pad(of_rows, [(0, 0), (target.first, num - target.end)])
        log_prior += prior_share(tf.reduce_mean(xi), target.share) * head.log_prior()
        log_prob = tf.reshape(head.log_prob(z, values), [num_samples, -1])
        terms[f"{target.name}_log_prob"] = tf.reduce_mean(log_prob, axis=0)
    return TargetTerms(tf.reshape(value, [-1]), log_prior, terms)
