"""Captions as text and as numbers: the vocabulary, and what a caption is to a model.

A caption is int32 [T]: the indices of its words, then `END` to the last place, so that every caption ends.
"""

import collections
import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.batch import END, UNKNOWN

SPECIAL = ("<end>", "<unk>")
TOKENIZERS = ("words", "word_pieces")

# What a piece that continues a word begins with, and what stands for a word of unknown letters.
CONTINUES = "##"
_UNKNOWN_PIECE = "[UNK]"


@dataclasses.dataclass
class Config:
    """How captions become numbers.

    Args:
        tokenizer: `words`; or `word_pieces`, keras-hub's WordPiece, which knows no unknown words of known letters.
        min_count: rarer words of the training captions are unknown.
        num_pieces: size of a vocabulary of word pieces.
        max_words: T − 1: longer captions are cut.
        vocabulary: a text file with a word a line, used as it is; empty: made from the training captions.
    """

    tokenizer: str = ranges.field("words", ranges.Choices(TOKENIZERS))
    min_count: int = ranges.field(5, ranges.POSITIVE_COUNTS)
    num_pieces: int = ranges.field(4000, ranges.WIDTHS)
    max_words: int = ranges.field(20, ranges.Interval(1, 10_000))
    vocabulary: str = ranges.field("", ranges.EXISTING_PATH)


class Vocabulary(NamedTuple):
    """The words that a model knows.

    words: the first are `SPECIAL`.
    length: T.
    tokenizer: one of `TOKENIZERS`.
    """

    words: tuple[str, ...]
    length: int
    tokenizer: str = "words"

    def ids(self, texts):
        """Captions as numbers: a list of N strings -> int32 [N, T]."""
        known = {word: i for i, word in enumerate(self.words)}
        ids = np.full([len(texts), self.length], END, np.int32)
        for row, pieces in enumerate(self.split(texts)):
            cut = [known.get(piece, UNKNOWN) for piece in pieces[: self.length - 1]]
            ids[row, : len(cut)] = cut
        return ids

    def texts(self, ids):
        """Captions as text, without what follows their end: int32 [N, T] -> a list of N strings."""
        return [joined(self.words[i] for i in before_end(row)) for row in np.asarray(ids)]

    def split(self, texts):
        """The words, or word pieces, of every text, also those that are unknown."""
        words = split_words(texts)
        if self.tokenizer == "words":
            return words
        pieces = _pieces_of(sorted({word for row in words for word in row}), self.words)
        return [[piece for word in row for piece in pieces[word]] for row in words]


def build(texts, config):
    """The vocabulary of training captions.

    Args:
        texts: a list of strings.
        config: `Config`.

    Returns:
        `Vocabulary`; words in the order of their counts, equal ones by the alphabet.

    Raises:
        ValueError: where no word is left, or the file of `config.vocabulary` is no list of words.
    """
    ranges.check(config, "data.captions")
    if config.vocabulary:
        words = _read(config.vocabulary)
    elif config.tokenizer == "word_pieces":
        words = _learn_pieces(texts, config.num_pieces)
    else:
        counts = collections.Counter(word for row in split_words(texts) for word in row)
        kept = [(word, count) for word, count in counts.items() if count >= config.min_count]
        words = [word for word, _ in sorted(kept, key=lambda item: (-item[1], item[0]))]
    if not words:
        raise ValueError(
            f"No word is frequent enough in the {len(texts)} training captions, so there is no vocabulary. Lower "
            f"`data.captions.min_count`={config.min_count}, or caption more images."
        )
    return Vocabulary((*SPECIAL, *words), config.max_words + 1, config.tokenizer)


def normalised(text):
    """Lower case, nothing but letters, digits and apostrophes, one blank between words: string tensor, same shape.

    Of TensorFlow's operations alone, so that training and serving share it. Bytes that are no UTF-8 are replaced.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(tf.strings.regex_replace(text, "’", "'"), encoding="utf-8")
    return tf.strings.strip(tf.strings.regex_replace(text, r"[^\pL\pM\pN']+", " "))


def split_words(texts):
    """The words of every text: a list of N strings -> N lists of strings."""
    if not len(texts):
        return []
    split = tf.strings.split(normalised(tf.constant(list(texts)))).to_list()
    return [[word.decode() for word in row] for row in split]


def before_end(ids):
    """The entries of one caption before its end: int32 [T] -> [words]."""
    ends = np.flatnonzero(np.asarray(ids) == END)
    return ids[: ends[0]] if len(ends) else ids


def joined(pieces):
    """Words, or word pieces, as one text."""
    return " ".join(pieces).replace(" " + CONTINUES, "")


def stacked(texts, vocabulary):
    """The captions of every image side by side: N tuples of strings -> int32 [N, M, T], missing ones all `END`."""
    most = max((len(row) for row in texts), default=0)
    ids = np.full([len(texts), most, vocabulary.length], END, np.int32)
    flat = iter(vocabulary.ids([text for row in texts for text in row]))
    for row, captions in enumerate(texts):
        for i in range(len(captions)):
            ids[row, i] = next(flat)
    return ids


def _read(path):
    """The words of a vocabulary file, with or without the special ones."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"`data.captions.vocabulary` {path} cannot be read: {error}.") from error
    words = [line.strip() for line in lines if line.strip() and line.strip() not in SPECIAL]
    twice = [word for word, count in collections.Counter(words).items() if count > 1]
    if twice:
        raise ValueError(f"`data.captions.vocabulary` {path} has {twice[0]!r} more than once; give each word one line.")
    if not words:
        raise ValueError(f"`data.captions.vocabulary` {path} has no words; give a word a line.")
    plain = [word.removeprefix(CONTINUES) for word in words]
    odd = [word for word, same in zip(plain, normalised(tf.constant(plain)).numpy()) if word != same.decode()]
    if odd:
        raise ValueError(
            f"`data.captions.vocabulary` {path} has {odd[0]!r}, which no caption can have: words are lower case, of "
            "letters, digits and apostrophes."
        )
    return words


def _keras_hub():
    try:
        import keras_hub  # Three seconds to import: only where word pieces are asked for.
    except ImportError as error:
        raise ValueError(
            "`data.captions.tokenizer=word_pieces` needs keras-hub: install tfvae with its extra `captions`."
        ) from error
    return keras_hub


def _learn_pieces(texts, size):
    words = [word for row in split_words(texts) for word in row]
    if not words:
        return []
    dataset = tf.data.Dataset.from_tensor_slices(words).batch(1000)
    pieces = _keras_hub().tokenizers.compute_word_piece_vocabulary(
        dataset, size, lowercase=False, split=False, reserved_tokens=[_UNKNOWN_PIECE]
    )
    return [piece for piece in pieces if piece != _UNKNOWN_PIECE]


def _pieces_of(words, vocabulary):
    """{word: its pieces}, by keras-hub, which knows them all from the vocabulary."""
    tokenizer = _keras_hub().tokenizers.WordPieceTokenizer(
        [*vocabulary[len(SPECIAL) :], _UNKNOWN_PIECE],
        lowercase=False, split=False, oov_token=_UNKNOWN_PIECE, dtype="string",
    )  # fmt: skip
    pieces, cut = {}, iter(words)
    # One call for all words gives their pieces in a row; what continues a word shows.
    for piece in tokenizer(tf.constant(words)) if words else ():
        if not piece.startswith(CONTINUES):
            current = pieces[next(cut)] = []
        current.append(piece)
    return pieces
