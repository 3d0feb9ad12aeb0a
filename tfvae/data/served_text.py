"""Captions in a served graph: text to words and words to text, by tables that read the vocabulary from an asset."""

import pathlib
import tempfile

import tensorflow as tf

from tfvae.batch import END, UNKNOWN
from tfvae.data import captions
from tfvae.data.entry import Served

VOCABULARY_FILE = "vocabulary.txt"


class Text(tf.Module, Served):
    """What `tfvae.data.captions.Vocabulary` does, of TensorFlow's operations alone.

    Args:
        vocabulary: `Vocabulary`.
    """

    def __init__(self, vocabulary):
        super().__init__()
        self.length = vocabulary.length
        # Word pieces of a new text are found by keras-hub, which no server has.
        self.is_read = vocabulary.tokenizer == "words"
        self._folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self._folder.name, VOCABULARY_FILE)
        path.write_text("".join(f"{word}\n" for word in vocabulary.words), encoding="utf-8")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.index_of = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(path), tf.string, line, tf.int64, number), UNKNOWN
        )
        self.word_of = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(path), tf.int64, number, tf.string, line),
            captions.SPECIAL[UNKNOWN],
        )

    def spec(self, spec):
        return tf.TensorSpec([None], tf.string, name=spec.name)

    def taken(self, argument):
        return self.ids(argument)

    def given(self, value):
        return self.texts(value)

    def ids(self, texts):
        """string [B] -> int32 [B, T]."""
        words = tf.strings.split(captions.normalised(texts))[:, : self.length - 1]
        found = tf.ragged.map_flat_values(self.index_of.lookup, words)
        return tf.cast(found.to_tensor(END, shape=[None, self.length]), tf.int32)

    def texts(self, ids):
        """int32 [B, T] -> string [B]."""
        goes_on = tf.math.cumprod(tf.cast(ids != END, tf.int32), axis=1) > 0
        words = tf.where(goes_on, self.word_of.lookup(tf.cast(ids, tf.int64)), "")
        text = tf.strings.reduce_join(words, axis=1, separator=" ")
        return tf.strings.strip(tf.strings.regex_replace(text, f" {captions.CONTINUES}", ""))
