"""Captions in a served graph, against the vocabulary in Python."""

import numpy as np
import tensorflow as tf

from tfvae.data.captions import Vocabulary
from tfvae.data.served_text import Text

VOCABULARY = Vocabulary(("<end>", "<unk>", "a", "dog", "isn't", "here", "éclair"), 5)
TEXTS = ["A dog!", "a DOG isn’t here, a dog", "éclair ÉCLAIR", "", "bird", "a " * 100_000]


def test_words_are_those_of_training():
    ids = tf.function(Text(VOCABULARY).ids)(tf.constant(TEXTS))
    np.testing.assert_array_equal(ids, VOCABULARY.ids(TEXTS))


def test_text_is_that_of_training():
    ids = np.array([[2, 3, 0, 3, 3], [0, 2, 2, 2, 2], [2, 1, 3, 5, 0]], np.int32)
    texts = tf.function(Text(VOCABULARY).texts)(tf.constant(ids))
    assert [text.decode() for text in texts.numpy()] == VOCABULARY.texts(ids) == ["a dog", "", "a <unk> dog here"]


def test_bytes_that_are_no_text_are_unknown_words():
    ids = Text(VOCABULARY).ids(tf.constant([b"a \xff\xfe dog", b"\x00"]))
    assert ids.numpy()[0, :3].tolist() == [2, 3, 0]


def test_word_pieces_are_put_together():
    pieces = Vocabulary(("<end>", "<unk>", "play", "##ing", "dogs"), 5, "word_pieces")
    text = Text(pieces)
    assert not text.is_read
    assert text.texts(tf.constant([[4, 2, 3, 0, 0]])).numpy()[0] == b"dogs playing"
