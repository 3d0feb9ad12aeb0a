"""What is said of an image: any number of texts in metadata, records and memory; one of them, as words, in a batch."""

import json
import os
import unicodedata

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import captions as texts
from tfvae.data.captions import Vocabulary
from tfvae.data.entry import Entry, strings
from tfvae.data.served_text import Text
from tfvae.probability import noise

MAX_BYTES = 4096


class Caption(Entry):
    """Captions; a batch carries one of each image's own, drawn anew each time.

    Args:
        vocabulary: of the training captions; None until it is fitted.
    """

    name, stream, judged, always = batches.CAPTION, batches.CAPTIONED, True, True
    noise_key = 4  # What it was in 0.1, so that its runs go on as they would have.

    def __init__(self, vocabulary=None):
        self.vocabulary = vocabulary

    def read(self, cells):
        said = (cleaned(text, cells.repairs) for text in cells.texts(self.name))
        return tuple(text for text in said if text is not None) or None

    def merge(self, ours, theirs):
        return (ours or ()) + (theirs or ()) or None

    def summary(self, values):
        return f"captions: {sum(map(len, values))}" if values else ""

    def stack(self, values):
        return tuple(value or () for value in values) if any(values) else ()

    def missing(self, num, like):
        return ((),) * num

    def has(self, column):
        return np.array([bool(of_image) for of_image in column], bool)

    def take(self, column, indices):
        return tuple(column[i] for i in indices)

    def concatenate(self, columns):
        return tuple(of_image for column in columns for of_image in column)

    def digest(self, column):
        if column:
            yield json.dumps(column).encode()

    def features(self, value):
        return {self.name: strings(value)} if value else {}

    def spec(self):
        return {self.name: tf.io.RaggedFeature(tf.string)}

    def joined(self, parts):
        return self.stack([decoded(row) for part in parts for row in part.to_list()])

    def fitted(self, config, column, frozen, where):
        """With the vocabulary of the training captions, or with what it was when the run began.

        Raises:
            ValueError: where the file of words is another one than when the run began.
        """
        if "vocabulary" not in frozen:
            return Caption(texts.build([text for of_image in column for text in of_image], config.captions))
        vocabulary = Vocabulary(tuple(frozen["vocabulary"]), config.captions.max_words + 1, config.captions.tokenizer)
        path = config.captions.vocabulary
        if path and os.path.exists(path) and texts.build((), config.captions) != vocabulary:
            raise ValueError(
                f"`data.captions.vocabulary` {path} has other words than when the run began, so that it does not fit "
                "the weights. Restore the file, or use a new --workdir."
            )
        return Caption(vocabulary)

    def state(self):
        return {"vocabulary": list(self.vocabulary.words)} if self.vocabulary else {}

    def tensor(self, column):
        return texts.stacked(column, self.vocabulary)

    def drawn(self, raw, seed):
        """One caption a row of those that it has: [B, M, T] -> [B, T]. Missing ones, which come last, have no word."""
        num = tf.reduce_sum(tf.cast(raw[:, :, 0] != batches.END, tf.int32), axis=1)
        drawn = tf.cast(noise.uniform(tf.shape(num), seed) * tf.cast(num, tf.float32), tf.int32)
        return tf.gather(raw, drawn, batch_dims=1)

    def served(self):
        return Text(self.vocabulary)

    def asked(self, column):
        """The first caption of each; words that no vocabulary has for an image without one."""
        return np.array([(*of_image, "nothing")[0].encode() for of_image in column], object)


def cleaned(caption, repairs):
    """A caption as it is stored, None for one without a word; what was done to it is counted in `repairs`."""
    # A lone surrogate, which JSON can spell, has no UTF-8.
    text = caption.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    text = unicodedata.normalize("NFC", text).strip()
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        repairs["caption empty"] += 1
        return None
    if "\ufffd" in text:
        repairs["caption repaired"] += 1
    if len(text.encode()) > MAX_BYTES:
        repairs["caption cut"] += 1
        text = text.encode()[:MAX_BYTES].decode("utf-8", "ignore")
    return text


def decoded(row):
    """The bytes of a record's texts as a tuple of strings."""
    return tuple(text.decode(errors="replace") for text in row)


ENTRY = Caption()
