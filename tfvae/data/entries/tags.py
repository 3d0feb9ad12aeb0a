"""Words that hang on an image in no order: texts in metadata and records, one 0 or 1 a known tag in a batch."""

import json

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import tagging
from tfvae.data.entries.caption import decoded
from tfvae.data.entry import Entry, Served, strings

PROBABILITIES = "tag_probabilities"  # In what a server answers.


class Tags(Entry):
    """float32 [B, L] in a batch, 1 for the tags of an image.

    Args:
        known: the L tags of the training examples, the most frequent one first; None until it is fitted.
    """

    name, stream, feature = batches.TAGS, batches.TAGGED, "tag"

    def __init__(self, known=None):
        self.known = known

    def read(self, cells):
        tags = [tag.strip() for text in cells.texts(self.name) for tag in text.replace(";", ",").split(",")]
        if "" in tags:
            cells.repairs["tag empty"] += tags.count("")
        return tuple(dict.fromkeys(tag for tag in tags if tag)) or None

    def merge(self, ours, theirs):
        return tuple(dict.fromkeys((ours or ()) + (theirs or ()))) or None

    def stack(self, values):
        return tuple(value or () for value in values)

    def has(self, column):
        return np.array([bool(tags) for tags in column], bool)

    def take(self, column, indices):
        return tuple(column[i] for i in indices)

    def concatenate(self, columns):
        return tuple(tags for column in columns for tags in column)

    def digest(self, column):
        yield json.dumps([self.name, column]).encode()

    def features(self, value):
        return {self.feature: strings(value)} if value else {}

    def spec(self):
        return {self.feature: tf.io.RaggedFeature(tf.string)}

    def joined(self, parts):
        return self.stack([decoded(row) for part in parts for row in part.to_list()])

    def fitted(self, config, column, frozen, where):
        if "tags" in frozen:
            return Tags(tuple(frozen["tags"]))
        return Tags(tagging.known(column, config.tags))

    def state(self):
        return {"tags": list(self.known)}

    @property
    def names(self):
        return self.known

    def tensor(self, column):
        place = {tag: i for i, tag in enumerate(self.known)}
        of_images = np.zeros([len(column), len(place)], np.float32)
        for row, tags in enumerate(column):
            of_images[row, [place[tag] for tag in tags if tag in place]] = 1.0
        return of_images

    def served(self):
        return Names(self.known)


class Names(Served):
    """Tags in a served graph: their names beside their probabilities.

    Args:
        known: the L tags.
    """

    def __init__(self, known):
        self.known = known

    def answers(self, name, value):
        """{"tags": string [B, L], the same names in every row, "tag_probabilities": [B, L]}."""
        names = tf.repeat(tf.constant(self.known)[None], tf.shape(value)[0], axis=0)
        return {name: names, PROBABILITIES: value}


ENTRY = Tags()
