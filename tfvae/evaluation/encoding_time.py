"""How long does it take to infer the code of an image?

It is no entry of `metrics.json`, which repeats to the last bit.
"""

import time

import tensorflow as tf

from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import mean_of

_ROWS, _ROUNDS = 100, 3


def milliseconds(model, data, rows, seed=0):
    """Of a code of an image, in a batch of a hundred: the shortest of three rounds, after one that traces.

    Args:
        model: with the capability `ENCODE`.
        data: `tfvae.data.load.Data`.
        rows: `Examples`, of which a hundred are chosen by the seed.
        seed: of the choice.
    """
    rows = subset(rows, min(_ROWS, at_once(model, _ROWS)), seed)
    encode, image = mean_of(model, "encode"), tf.constant(data.observe(rows))
    encode(image)
    return 1000.0 / len(rows) * min(_seconds(encode, image) for _ in range(_ROUNDS))


def _seconds(encode, image):
    began = time.perf_counter()
    encode(image).numpy()
    return time.perf_counter() - began
