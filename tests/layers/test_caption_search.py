"""Decoding against the enumeration of all sequences of a small Markov chain."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfvae import ranges
from tfvae.layers import caption_search
from tfvae.probability import noise

NUM_WORDS, LENGTH, BATCH = 4, 4, 3


@pytest.fixture
def chain(rng):
    """First-word and transition log probabilities, another chain for each row; its state says which."""
    first = np.log(rng.dirichlet(np.ones(NUM_WORDS), BATCH)).astype("float32")
    transitions = np.log(rng.dirichlet(np.ones(NUM_WORDS), [BATCH, NUM_WORDS])).astype("float32")

    def advance(word, state):
        (row,) = state
        return tf.gather_nd(tf.constant(transitions), tf.stack([row, word], axis=1)), (row,)

    return caption_search.Words(tf.constant(first), (tf.range(BATCH),), advance), first, transitions


def log_prob(first, transitions, row, ids):
    """log p of a sequence up to its end."""
    total, word = first[row, ids[0]], ids[0]
    for following in ids[1:]:
        if word == 0:
            break
        total, word = total + transitions[row, word, following], following
    return total


def sequences(unknown):
    """All sequences that end, with nothing behind their end."""
    words = [w for w in range(NUM_WORDS) if unknown or w != 1]
    for ids in itertools.product(words, repeat=LENGTH - 1):
        end = ids.index(0) if 0 in ids else LENGTH - 1
        yield (*ids[:end], *[0] * (LENGTH - end))


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("unknown", [False, True])
def test_a_beam_as_wide_as_all_sequences_finds_the_best(chain, length_penalty, unknown):
    words, first, transitions = chain
    ids, log_p = caption_search.beam_search(words, LENGTH, NUM_WORDS**LENGTH, length_penalty, unknown)
    for row in range(BATCH):
        scored = {
            sequence: log_prob(first, transitions, row, sequence)
            / (sequence.index(0) + 1) ** length_penalty
            for sequence in set(sequences(unknown))
        }  # fmt: skip
        best = max(scored, key=scored.get)
        assert tuple(ids[row].numpy()) == best
        assert float(log_p[row]) == pytest.approx(log_prob(first, transitions, row, best), rel=1e-4)


def test_a_beam_of_one_is_greedy(chain):
    words, *_ = chain
    greedy, log_p = caption_search.decode(words, LENGTH, caption_search.Config("greedy"))
    beam, same = caption_search.beam_search(words, LENGTH, 1)
    np.testing.assert_array_equal(greedy, beam)
    np.testing.assert_allclose(log_p, same, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_wider_beam_never_finds_a_worse_sequence_here(chain, beams):
    words, *_ = chain
    narrow, wide = (caption_search.beam_search(words, LENGTH, b)[1].numpy() for b in (beams, NUM_WORDS**LENGTH))
    assert (wide >= narrow - 1e-5).all()


def many(chain, num):
    """The same chain's first row, `num` times."""
    words, *_ = chain
    return caption_search.Words(tf.repeat(words.first[:1], num, axis=0), (tf.zeros([num], tf.int32),), words.advance)


def test_sampling_draws_each_sequence_as_often_as_it_is_probable(chain):
    _, first, transitions = chain
    num = 20_000
    ids, log_p = caption_search.decode(
        many(chain, num), LENGTH, caption_search.Config("sample", unknown=True), noise.seed(0)
    )
    drawn, counts = np.unique(ids.numpy(), axis=0, return_counts=True)
    # The end at the last place is certain: what leads there has the probability of the words before it.
    expected = [
        np.exp(log_prob(first, transitions, 0, tuple(s)) - (transitions[0, s[-2], 0] if s[-2] else 0.0)) for s in drawn
    ]
    np.testing.assert_allclose(counts / num, expected, atol=0.015)
    for s, value in zip(ids.numpy()[:20], log_p.numpy()[:20]):
        assert value == pytest.approx(log_prob(first, transitions, 0, tuple(s)), rel=1e-4)


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        (caption_search.Config("sample", top_k=2), {2, 3}),
        (caption_search.Config("sample", top_p=0.75), {2, 3}),
        (caption_search.Config("sample", top_p=0.5), {3}),
        (caption_search.Config("sample", temperature=1e-4), {3}),
    ],
)
def test_draws_are_cut_to_the_most_probable_words(config, allowed):
    log_probs = tf.math.log(tf.repeat([[0.1, 0.1, 0.3, 0.5]], 500, axis=0))
    assert set(caption_search.draw(log_probs, noise.seed(0), config).numpy()) == allowed


def test_temperature_flattens():
    log_probs = tf.math.log(tf.repeat([[0.1, 0.9]], 20_000, axis=0))
    hot = caption_search.draw(log_probs, noise.seed(0), caption_search.Config("sample", temperature=2.0)).numpy().mean()
    assert hot == pytest.approx(3.0 / 4.0, abs=0.01)  # √0.9 : √0.1 = 3 : 1


@pytest.mark.parametrize("method", caption_search.METHODS)
def test_a_chain_that_never_ends_is_ended_at_its_limit(method):
    first = tf.constant([[-20.0, -20.0, 0.0]] * 2)
    words = caption_search.Words(first, (tf.zeros([2]),), lambda word, state: (tf.gather(first, 0 * word), state))
    config = caption_search.Config(method, beams=2)
    ids, _ = tf.function(lambda: caption_search.decode(words, 5, config, noise.seed(0)))()
    np.testing.assert_array_equal(ids, [[2, 2, 2, 2, 0]] * 2)


def test_more_beams_than_words_are_no_harm(chain):
    words, *_ = chain
    ids, log_p = caption_search.beam_search(words, LENGTH, 50)
    assert np.isfinite(log_p).all() and (ids[:, -1] == 0).numpy().all() and (log_p > -100).numpy().all()


@pytest.mark.parametrize(
    "fields", [{"method": "guess"}, {"beams": 0}, {"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": -1}]
)
def test_what_chooses_no_words_is_refused(fields):
    with pytest.raises(ValueError, match=f"`{next(iter(fields))}` must be .*, got"):
        ranges.check(caption_search.Config(**fields))
