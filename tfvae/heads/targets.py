"""What heads make of a batch: which of its images have a target, and what the target is worth there.

The weight of a target is  ξ = w N_x / (n ρ),  ρ being the share of the batch's images that have it, N_x the pixels of
an image, and n what the target is one of or made of: classes of a label, words of a caption. Every image then weighs
alike.

Pu et al. 2016, section 4.1.
"""

from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from tfvae.batch import IMAGE


class Target(NamedTuple):
    """The rows of a batch that have the target of one head.

    name:   of the head.
    first, end: the rows, in the order of the streams, the last not included.
    values: [end − first, ...].
    share:  ρ.
    """

    name: str
    first: int
    end: int
    values: tf.Tensor
    share: float


class Explained(NamedTuple):
    """What heads add to an objective.

    value: [S·B], Σ over heads of ξ times their surrogates, 0 where a target is missing.
    prior: scalar, the batch's share of the log priors of the heads' weights.
    terms: "<head>_log_prob" -> [rows], nats, the mean over draws.
    """

    value: tf.Tensor
    prior: tf.Tensor | float
    terms: dict[str, tf.Tensor]


def check_classes(label_weight, num_classes):
    """Raises ValueError for a head for labels of data without two classes."""
    if label_weight and num_classes < 2:
        raise ValueError(
            f"A head for labels needs at least two classes, the data has {num_classes}. Set `model.label_weight=0` for "
            "a model without it."
        )


def num_images(batch):
    """Images of all streams: an int, or a scalar where the last batch of some rows is smaller than the others."""
    return sum(_rows(entries) for entries in batch.values())


def targets(heads, batch) -> Iterator[Target]:
    """The targets that these heads have in a batch."""
    first = 0
    for entries in batch.values():
        end = first + _rows(entries)
        for name in heads:  # A head is called like the entry that it explains.
            if name in entries:
                yield Target(name, first, end, entries[name], _share(end - first, num_images(batch)))
        first = end


def _rows(entries):
    image = entries[IMAGE]
    return tf.shape(image)[0] if image.shape[0] is None else image.shape[0]


def _share(part, whole):
    return tf.cast(part, tf.float32) / tf.cast(whole, tf.float32) if tf.is_tensor(whole) else part / whole


def weight(head, scale, values, share):
    """ξ of targets: a scalar, or [rows] where targets differ in it; `scale` is w N_x."""
    return scale / (head.num_outcomes(values) * share)


def explained(heads, scales, s, batch, num_samples, num_labelled):
    """What heads make of codes.

    Args:
        heads: name -> head.
        scales: name -> w N_x.
        s: [S·B, Z], a draw of all images after the other.
        batch: of streams, B images.
        num_samples: S.
        num_labelled: images of the training set that have a label, among whom the prior of the head is shared.

    Returns:
        `Explained`.
    """
    num = num_images(batch)
    by_draw = tf.reshape(s, [num_samples, num, s.shape[-1]])
    value, prior, terms = tf.zeros([num_samples, num]), 0.0, {}
    for target in targets(heads, batch):
        head = heads[target.name]
        z = tf.reshape(by_draw[:, target.first : target.end], [-1, s.shape[-1]])
        values = tf.tile(target.values, [num_samples, *[1] * (len(target.values.shape) - 1)])
        xi = weight(head, scales[target.name], values, target.share)
        of_rows = tf.reshape(xi * head.surrogate(z, values), [num_samples, -1])
        value += tf.pad(of_rows, [(0, 0), (target.first, num - target.end)])
        prior += tf.reduce_mean(xi) * target.share * head.log_prior() / max(num_labelled, 1)
        log_prob = tf.reshape(head.log_prob(z, values), [num_samples, -1])
        terms[f"{target.name}_log_prob"] = tf.reduce_mean(log_prob, axis=0)
    return Explained(tf.reshape(value, [-1]), prior, terms)
