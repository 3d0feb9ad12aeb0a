"""p(Y | s) against the equations, word by word."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, logsumexp

from tfvae import ranges
from tfvae.heads import caption
from tfvae.heads.caption import Caption
from tfvae.layers import caption_search
from tfvae.probability import noise

WORDS = ("<end>", "<unk>", "a", "red", "square")
LENGTH, LATENT = 4, 3


def build(cell="gru", **fields):
    head = Caption(LATENT, WORDS, LENGTH, caption.Config(cell, hidden=6, embedding=5, **fields))
    rng = np.random.default_rng(3)
    for variable in head.weights:
        variable.assign(rng.normal(size=variable.shape))
    return head


@pytest.fixture
def z(rng):
    return tf.constant(rng.normal(size=[3, LATENT]), tf.float32)


CAPTIONS = np.array([[2, 3, 4, 0], [3, 0, 0, 0], [2, 1, 0, 0]], np.int32)


def by_hand(head, z, ids):
    """log p(Y | s) of one caption by the equations of section 3.2, a word at a time."""
    h = np.tanh(z @ head.c.numpy() + head.b_c.numpy())
    state, total = head.cell.start(tf.constant(h[None], tf.float32)), 0.0
    for word in ids:
        log_p = log_softmax(state[0].numpy()[0] @ head.v.numpy() + head.b_v.numpy())
        total += log_p[word]
        if word == 0:
            break
        projected = head.cell.project(tf.constant(head.w_e.numpy()[word][None]))
        state = head.cell.step(projected, state, head.cell.matrices())
    return total


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_caption_is_as_probable_as_its_words_up_to_its_end(cell, z):
    head = build(cell)
    expected = [by_hand(head, z.numpy()[i], ids) for i, ids in enumerate(CAPTIONS)]
    np.testing.assert_allclose(head.log_prob(z, CAPTIONS), expected, rtol=1e-4)


def test_nothing_behind_the_end_has_any_influence(z):
    head, other = build(), CAPTIONS.copy()
    other[1, 2:], other[2, 3] = [4, 2], 3
    np.testing.assert_array_equal(head.log_prob(z, CAPTIONS), head.log_prob(z, other))
    np.testing.assert_array_equal(caption.num_words(tf.constant(CAPTIONS)), [4, 2, 3])
    np.testing.assert_array_equal(caption.num_words(tf.constant(other)), [4, 2, 3])


def test_padding_adds_no_gradient(z):
    head = build()
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(head.log_prob(z[1:2], CAPTIONS[1:2]))
    gradient = tf.convert_to_tensor(tape.gradient(value, head.w_e._value))
    used = np.flatnonzero(np.abs(gradient.numpy()).sum(axis=1))
    np.testing.assert_array_equal(used, [3])  # The only word that anything follows.


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("method", caption_search.METHODS)
def test_a_decoded_caption_is_as_probable_as_is_said(cell, method, z):
    head = build(cell)
    config = caption_search.Config(method, beams=3, unknown=True)
    ids, log_p = head.predict(z[None], config, noise.seed(0))
    np.testing.assert_allclose(log_p, head.log_prob(z, ids), rtol=1e-4)


@pytest.mark.parametrize("method", caption_search.METHODS)
def test_several_codes_are_averaged_as_probabilities_of_whole_captions(method, rng):
    """log p(Y | x) = log mean_s p(Y | s), also when the words were chosen one by one."""
    head, codes = build(), tf.constant(rng.normal(size=[5, 3, LATENT]), tf.float32)
    ids, log_p = head.predict(codes, caption_search.Config(method, beams=4, unknown=True), noise.seed(1))
    each = np.stack([head.log_prob(s, ids) for s in codes])
    np.testing.assert_allclose(log_p, logsumexp(each, axis=0) - np.log(5), rtol=1e-4)


def test_the_same_code_many_times_is_one_code(z):
    head = build()
    once, often = head.predict(z[None]), head.predict(tf.repeat(z[None], 4, axis=0))
    np.testing.assert_array_equal(once[0], often[0])
    np.testing.assert_allclose(once[1], often[1], rtol=1e-4)


def test_unknown_words_are_not_said(rng):
    head = build()
    head.b_v.assign([0.0, 50.0, 0.0, 0.0, 0.0])
    codes = tf.constant(rng.normal(size=[1, 50, LATENT]), tf.float32)
    for method in caption_search.METHODS:
        assert not (head.predict(codes, caption_search.Config(method), noise.seed(0))[0] == 1).numpy().any()


def test_word_vectors_are_read(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("3 5\nred 1 2 3 4 5\nblue 9 9 9 9 9\n. . . 1 2 3 4 5\nsquare 5 4 3 2 1e0\n")
    head = build(word_vectors=str(path))
    before = head.w_e.numpy()
    assert head.initialise() == 2
    np.testing.assert_array_equal(head.w_e[3], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(head.w_e[4], [5, 4, 3, 2, 1])
    np.testing.assert_array_equal(head.w_e[:3], before[:3])


def test_word_vectors_of_another_size_or_without_file_are_refused(tmp_path):
    (tmp_path / "short.txt").write_text("red 1 2 3\n")
    with pytest.raises(ValueError, match=r"embedding=3"):
        build(word_vectors=str(tmp_path / "short.txt")).initialise()
    (tmp_path / "text.txt").write_text("red a b c d e\n")
    with pytest.raises(ValueError, match="line 1"):
        build(word_vectors=str(tmp_path / "text.txt")).initialise()
    (tmp_path / "other.txt").write_text("rot 1 2 3 4 5\n")
    with pytest.raises(ValueError, match="none of the 5 words"):
        build(word_vectors=str(tmp_path / "other.txt")).initialise()
    with pytest.raises(ValueError, match="cannot be read"):
        build(word_vectors=str(tmp_path / "none.txt")).initialise()


def test_sizes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="`hidden` must be an integer in"):
        ranges.check(dataclasses.replace(caption.Config(), hidden=0))
