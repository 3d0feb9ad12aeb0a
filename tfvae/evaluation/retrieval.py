"""Which caption belongs to which image? Retrieval both ways through the code that they share."""

import numpy as np
import tensorflow as tf

RECALLS = (1, 5, 10)


def agreement(mean_x, variance_x, mean_y, variance_y):
    """log ∫ q(s | x) q(s | Y) / p(s) ds for diagonal Gaussians and p(s) = N(0, I): [N], [M] -> [N, M], nats.

    Where each q is the posterior that is log p(x, Y) / (p(x) p(Y)), the evidence that the two belong together.
    Variances above those of the prior are taken as 1: the integral need not exist then.

    Args:
        mean_x, variance_x: [N, Z].
        mean_y, variance_y: [M, Z].
    """
    variance_x, variance_y = tf.minimum(variance_x, 1.0), tf.minimum(variance_y, 1.0)
    precision_x, precision_y = 1.0 / variance_x, 1.0 / variance_y
    own_x = tf.reduce_sum(tf.math.log(variance_x) + mean_x**2 * precision_x, axis=-1)
    own_y = tf.reduce_sum(tf.math.log(variance_y) + mean_y**2 * precision_y, axis=-1)

    def of_caption(row):
        precision, shift = row
        total = precision_x + precision - 1.0
        return tf.reduce_sum((mean_x * precision_x + shift) ** 2 / total - tf.math.log(total), axis=-1)

    both = tf.map_fn(of_caption, (precision_y, mean_y * precision_y), fn_output_signature=tf.float32)  # [M, N]
    return 0.5 * (tf.transpose(both) - own_x[:, None] - own_y[None, :])


def recalls(score, image_of):
    """How often the right one is among the best, both ways.

    Args:
        score: [N, M], of every image and caption.
        image_of: [M], the image of each caption.

    Returns:
        {"image_to_caption_r<k>": fraction of images with one of their captions among the k best,
        "caption_to_image_r<k>": fraction of captions with their image among the k best, "..._rank": the median rank}.
    """
    score, image_of = np.asarray(score), np.asarray(image_of)
    found = {}
    own = image_of[None, :] == np.arange(len(score))[:, None]
    best_own = np.where(own, score, -np.inf).max(axis=1)
    # Ties count against us.
    ranks_of = {
        "image_to_caption": 1 + (np.where(own, -np.inf, score) >= best_own[:, None]).sum(axis=1),
        "caption_to_image": (score >= score[image_of, np.arange(len(image_of))][None, :]).sum(axis=0),
    }
    for direction, ranks in ranks_of.items():
        found |= {f"{direction}_r{k}": float(np.mean(ranks <= k)) for k in RECALLS}
        found[f"{direction}_rank"] = float(np.median(ranks))
    return found
