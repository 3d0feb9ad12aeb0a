"""Sequences out of a model that gives the next word: greedy, drawn, or by beam search, batched and in the graph.

A model of words is two things: `first` [B, V], log probabilities of the first word with its state, and
`advance(word [N], state)` -> (log probabilities of the next word [N, V], state). Every tensor of a state has the batch
as its first axis. A sequence is int32 [B, T]; `END` ends it, and it always does so, at its last place at the latest.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfvae import ranges
from tfvae.batch import END, UNKNOWN
from tfvae.probability import noise

METHODS = ("greedy", "sample", "beam")

_NEVER = -1e9


@dataclasses.dataclass
class Config:
    """How words are chosen.

    Args:
        method: `greedy`, `sample` or `beam`.
        beams: hypotheses of `beam` that are followed.
        length_penalty: α; hypotheses are compared by log p(Y) / |Y|^α, |Y| counting the end: 0 for log p(Y) itself, 1
            for its mean a word.
        temperature: of `sample`: logits are divided by it.
        top_k: `sample` draws from the k most probable words; 0 for all.
        top_p: `sample` draws from the fewest words whose probabilities add up to p; 1 for all.
        unknown: whether the word that stands for unknown ones may be chosen.
    """

    method: str = ranges.field("beam", ranges.Choices(METHODS))
    beams: int = ranges.field(5, ranges.Interval(1, 10_000))
    length_penalty: float = ranges.field(0.7, ranges.Interval(0, 100))
    temperature: float = ranges.field(1.0, ranges.POSITIVE)
    top_k: int = ranges.field(0, ranges.COUNTS)
    top_p: float = ranges.field(1.0, ranges.SHARES._replace(open_below=True))
    unknown: bool = False


class Words(NamedTuple):
    """A model of words: see the top of this file."""

    first: tf.Tensor
    state: tuple
    advance: Callable


def decode(words, length, config, seed=None):
    """Sequences by the method of `config`.

    Args:
        words: `Words`.
        length: T.
        config: `Config`.
        seed: int32 [2] for `sample`.

    Returns:
        (ids int32 [B, T], log p(ids) [B] in nats).
    """
    ranges.check(config, "decoding")
    if config.method == "beam":
        return beam_search(words, length, config.beams, config.length_penalty, config.unknown)
    choose = _most_probable
    if config.method == "sample":
        choose = lambda log_probs, step: draw(log_probs, noise.fold_in(seed, step), config)  # noqa: E731
    return _one_by_one(words, length, choose, config.unknown)


def draw(log_probs, seed, config):
    """A word each from [B, V], tempered and cut to `top_k` and `top_p` words: int32 [B]."""
    logits = log_probs / config.temperature
    if config.top_k:
        least = tf.math.top_k(logits, min(config.top_k, logits.shape[-1])).values[:, -1:]
        logits = tf.where(logits < least, _NEVER, logits)
    if config.top_p < 1:
        ordered = tf.sort(tf.nn.softmax(logits), direction="DESCENDING")
        before = tf.cumsum(ordered, axis=-1, exclusive=True)
        least = tf.reduce_min(tf.where(before < config.top_p, ordered, 1.0), axis=-1, keepdims=True)
        logits = tf.where(tf.nn.softmax(logits) < least, _NEVER, logits)
    edges = tf.cumsum(tf.nn.softmax(logits), axis=-1)
    # Scaled by the last edge: rounding may leave it short of 1.
    point = noise.uniform([tf.shape(edges)[0], 1], seed) * edges[:, -1:]
    return tf.minimum(tf.reduce_sum(tf.cast(point >= edges, tf.int32), axis=-1), logits.shape[-1] - 1)


def beam_search(words, length, beams, length_penalty=0.0, unknown=False):
    """The best of the sequences that a beam search finds.

    A hypothesis that has ended stays in the beam, at its own score, as long as no K others are better; so with as many
    beams as there are sequences the search is exhaustive.

    Returns:
        (ids int32 [B, T], log p(ids) [B] in nats).
    """
    batch, vocabulary = tf.shape(words.first)[0], words.first.shape[-1]
    first = _allowed(words.first, 0, length, unknown)
    log_p, word = tf.math.top_k(first, min(beams, vocabulary))  # [B, K]
    missing = beams - log_p.shape[1]  # Fewer words than beams: the rest are hypotheses that nobody would choose.
    log_p = tf.pad(log_p, [[0, 0], [0, missing]], constant_values=2 * _NEVER)
    word = tf.pad(word, [[0, 0], [0, missing]])
    ids = tf.pad(word[:, :, None], [[0, 0], [0, 0], [0, length - 1]])
    sizes = tf.ones_like(word)
    state = tf.nest.map_structure(lambda s: tf.repeat(s, beams, axis=0), words.state)

    def step(t, ids, word, log_p, sizes, state):
        entered = ids, word, log_p, sizes, state
        log_next, state = words.advance(tf.reshape(word, [-1]), state)
        log_next = tf.reshape(_allowed(log_next, t, length, unknown), [batch, beams, vocabulary])
        ended = (word == END)[:, :, None]
        only_end = tf.one_hot(END, vocabulary, on_value=0.0, off_value=2 * _NEVER)
        total = log_p[:, :, None] + tf.where(ended, only_end, log_next)
        lengths = sizes + tf.cast(word != END, tf.int32)
        score = total / tf.cast(lengths, tf.float32)[:, :, None] ** length_penalty
        _, chosen = tf.math.top_k(tf.reshape(score, [batch, -1]), beams)
        parent, word = chosen // vocabulary, chosen % vocabulary
        log_p = tf.gather(tf.reshape(total, [batch, -1]), chosen, batch_dims=1)
        ids = _placed(tf.gather(ids, parent, batch_dims=1), word, t)
        rows = tf.reshape(tf.range(batch)[:, None] * beams + parent, [-1])
        state = tf.nest.map_structure(lambda s: tf.gather(s, rows), state)
        return _shaped((ids, word, log_p, tf.gather(lengths, parent, batch_dims=1), state), entered, t)

    def goes_on(t, ids, word, log_p, sizes, state):
        return (t < length) & tf.reduce_any(word != END)

    _, ids, _, log_p, sizes, _ = tf.while_loop(goes_on, step, (1, ids, word, log_p, sizes, state))
    score = log_p / tf.cast(sizes, tf.float32) ** length_penalty
    best = tf.argmax(score, axis=1)
    return tf.gather(ids, best, batch_dims=1), tf.gather(log_p, best, batch_dims=1)


def _one_by_one(words, length, choose, unknown):
    """Sequences whose next word is `choose(log probabilities [B, V], step)`."""
    first = _allowed(words.first, 0, length, unknown)
    word = choose(first, 0)
    ids = tf.pad(word[:, None], [[0, 0], [0, length - 1]])

    def step(t, ids, word, log_p, state):
        entered = ids, word, log_p, state
        log_next, state = words.advance(word, state)
        log_next = _allowed(log_next, t, length, unknown)
        ended = word == END
        word = tf.where(ended, END, choose(log_next, t))
        log_p += tf.where(ended, 0.0, tf.gather(log_next, word, batch_dims=1))
        return _shaped((_placed(ids, word, t), word, log_p, state), entered, t)

    def goes_on(t, ids, word, log_p, state):
        return (t < length) & tf.reduce_any(word != END)

    log_p = tf.gather(first, word, batch_dims=1)
    _, ids, _, log_p, _ = tf.while_loop(goes_on, step, (1, ids, word, log_p, words.state))
    return ids, log_p


def _most_probable(log_probs, step):
    del step
    return tf.argmax(log_probs, axis=-1, output_type=tf.int32)


def _allowed(log_probs, step, length, unknown):
    """Log probabilities of words that may come: no unknown one unless asked for; none but the end at the last place."""
    vocabulary = log_probs.shape[-1]
    if not unknown and vocabulary > UNKNOWN:
        log_probs += tf.one_hot(UNKNOWN, vocabulary, on_value=_NEVER, off_value=0.0)
    at_last = tf.one_hot(END, vocabulary, on_value=0.0, off_value=_NEVER)
    return log_probs + tf.where(tf.equal(step, length - 1), at_last, 0.0)


def _shaped(left, entered, step):
    """The values that leave a turn of a loop, in the static shapes of those that entered it, after its number."""
    return step + 1, *tf.nest.map_structure(lambda x, like: tf.ensure_shape(x, like.shape), left, entered)


def _placed(ids, word, step):
    """ids [..., T] with `word` [...] at a step."""
    return tf.where(tf.range(ids.shape[-1]) == step, word[..., None], ids)
