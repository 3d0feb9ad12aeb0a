"""p(Y | s): a caption by a recurrent network whose first word comes from the code."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from tfvae import ranges
from tfvae.batch import CAPTION, END, IMAGE
from tfvae.capabilities import Capability, Endpoint
from tfvae.heads.head import Head
from tfvae.layers import caption_search as decodings
from tfvae.layers import recurrent
from tfvae.probability import noise

# Keeps the noise of captions apart from that of codes.
CAPTION_NOISE = 1


@dataclasses.dataclass
class Config:
    """Sizes of a caption network.

    Args:
        cell: `gru` or `lstm`.
        hidden: H.
        embedding: M, dimensions of a word's vector.
        word_vectors: a text file of word2vec or GloVe that training starts from, M numbers behind each word; empty for
            none. Words that it lacks start at random.
        decoding: how captions are chosen.
        blind: whether the code is hidden: a language model, beside which one sees what an image is worth.
    """

    cell: str = ranges.field("gru", ranges.Choices(recurrent.CELLS))
    hidden: int = ranges.field(512, ranges.WIDTHS)
    embedding: int = ranges.field(300, ranges.WIDTHS)
    word_vectors: str = ranges.field("", ranges.EXISTING_PATH)
    decoding: decodings.Config = dataclasses.field(default_factory=decodings.Config)
    blind: bool = False


class Caption(Head):
    """h₁ = tanh(C s),  h_t = H(W_e y_{t−1}, h_{t−1}),  p(y_t | y_<t, s) = softmax(V h_t), each with a bias.

    Args:
        latent_dim: Z.
        vocabulary: the words.
        length: T.
        config: `Config`.

    Pu et al. 2016, section 3.2 and appendix B (initialisation).
    """

    def __init__(self, latent_dim: int, vocabulary: Sequence[str], length: int, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs, dtype="float32")
        ranges.check(config, "model.caption")
        self.vocabulary = tuple(vocabulary)
        self.length = length
        self.config = config
        size, units = len(self.vocabulary), config.hidden
        self.w_e = self._matrix("w_e", size, config.embedding)
        self.c = self._matrix("c", latent_dim, units)
        self.b_c = self.add_weight(shape=[units], initializer="zeros", name="b_c")
        self.v = self._matrix("v", units, size)
        self.b_v = self.add_weight(shape=[size], initializer="zeros", name="b_v")
        self.cell = recurrent.cell(config.cell, config.embedding, units, name=f"{self.name}_cell")
        self.built = True

    def log_prob(self, z: tf.Tensor, caption: tf.Tensor) -> tf.Tensor:
        """log p(Y | s): [B], nats, its end included, for z [B, Z] and int32 [B, T].

        Hidden states behind the end are never multiplied with V, the largest matrix, so nothing is masked after the
        fact, and an entry behind the end has no influence.
        """
        state = self._start(z)
        hidden = self.cell.outputs(tf.gather(tf.convert_to_tensor(self.w_e), caption[:, :-1]), state)
        hidden = tf.concat([state[0][:, None], hidden], axis=1)
        within = tf.where(_within(caption))
        logits = self._logits(tf.gather_nd(hidden, within))
        log_p = -tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather_nd(caption, within), logits)
        return tf.math.unsorted_segment_sum(log_p, within[:, 0], tf.shape(caption)[0])

    def num_outcomes(self, target: tf.Tensor) -> tf.Tensor:
        """T, words of each caption, its end counted: [B]."""
        return tf.cast(num_words(target), tf.float32)

    def predict(
        self, z: tf.Tensor, config: decodings.Config | None = None, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Captions by p(Y | x) ≈ mean over S codes of p(Y | s): z [S, B, Z] -> (int32 [B, T], log p [B] in nats).

        Args:
            z: draws of the code.
            config: `tfvae.layers.caption_search.Config`, by default the head's own.
            seed: int32 [2] where words are drawn.

        Pu et al. 2016, section 4.2.
        """
        return decodings.decode(self._words(z), self.length, config or self.config.decoding, seed)

    def answers(self, model: Any) -> dict[str, Callable]:
        return {
            Capability.CAPTION: functools.partial(self.caption, model),
            "caption_of_codes": self.caption_of_codes,
            "caption_log_prob": self.caption_log_prob,
        }

    def endpoints(self, model: Any) -> dict[str, Endpoint]:
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        return {"caption": Endpoint(functools.partial(self._serve, model), [image])}

    def caption(
        self, model: Any, image: tf.Tensor, num_samples: int = 1, seed: tf.Tensor | None = None, decoding: str = ""
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Captions of images and their log probabilities: int32 [B, T], [B] in nats.

        Args:
            model: has `codes`.
            image: [B, H, W, C].
            num_samples: N_s, draws of the code that are averaged over; only with a seed.
            seed: int32 [2]; None for the mean code, by a `decoding` that draws no words.
            decoding: `greedy`, `sample` or `beam`, by default the config's.
        """
        of_words = None if seed is None else noise.fold_in(seed, CAPTION_NOISE)
        return self.caption_of_codes(model.codes(image, num_samples, seed), of_words, decoding)

    def caption_of_codes(
        self, s: tf.Tensor, seed: tf.Tensor | None = None, decoding: str = ""
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `caption`, for codes [S, B, Z] that are averaged over."""
        config = self.config.decoding
        return self.predict(s, dataclasses.replace(config, method=decoding or config.method), seed)

    def caption_log_prob(self, s: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """log p(Y | x) ≈ log of the mean over S codes of p(Y | s): [S, B, Z], int32 [B, T] -> [B], nats."""
        num = tf.shape(s)[0]
        each = self.log_prob(tf.reshape(s, [-1, s.shape[-1]]), tf.tile(words, [num, 1]))
        return tf.reduce_logsumexp(tf.reshape(each, [num, -1]), axis=0) - tf.math.log(tf.cast(num, tf.float32))

    def initialise(self) -> int:
        """Reads the word vectors; how many words they have.

        Raises:
            ValueError: if the file cannot be read, or its vectors have another dimension.
        """
        return load_word_vectors(self.config.word_vectors, self.vocabulary, self.w_e) if self.config.word_vectors else 0

    def _serve(self, model: Any, image: tf.Tensor) -> dict[str, tf.Tensor]:
        # A served caption is the same every time, so it is not drawn.
        method = self.config.decoding.method
        words, log_p = self.caption(model, image, decoding="beam" if method == "sample" else method)
        return {CAPTION: words, "log_prob": log_p}

    def _words(self, z: tf.Tensor) -> decodings.Words:
        """`decodings.Words` whose state has, for every code, the cell's state and log p(words so far | s)."""
        num, batch = tf.shape(z)[0], tf.shape(z)[1]
        start = self._start(tf.reshape(tf.transpose(z, [1, 0, 2]), [-1, z.shape[-1]]))
        cell = tf.nest.map_structure(lambda s: tf.reshape(s, [batch, num, s.shape[-1]]), start)
        matrices, w_e, v, b_v = (
            self.cell.matrices(), *(tf.convert_to_tensor(w) for w in (self.w_e, tf.transpose(self.v), self.b_v))
        )  # fmt: skip

        def next_word(cell: tuple[tf.Tensor, ...], log_so_far: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """log p(next word) of the mixture [N, V], and the log normalisers [N, S] of the codes' logits."""
            logits = self._logits(cell[0])
            normaliser = tf.reduce_logsumexp(logits, axis=-1)
            if z.shape[0] == 1:  # Nothing to mix, and V numbers a row that need no second exponential.
                return (logits - normaliser[..., None])[:, 0], normaliser
            weight = log_so_far - tf.reduce_logsumexp(log_so_far, axis=-1, keepdims=True)
            return tf.reduce_logsumexp(logits + (weight - normaliser)[..., None], axis=1), normaliser

        def advance(word: tf.Tensor, state: tuple) -> tuple[tf.Tensor, tuple]:
            cell, log_so_far, normaliser = state
            logit = tf.einsum("nsh,nh->ns", cell[0], tf.gather(v, word)) + tf.gather(b_v, word)[:, None]
            log_so_far += logit - normaliser
            projected = self.cell.project(tf.gather(w_e, word))[:, None]
            flat = tf.nest.map_structure(lambda s: tf.reshape(s, [-1, s.shape[-1]]), cell)
            many = tf.reshape(tf.repeat(projected, num, axis=1), [-1, projected.shape[-1]])
            stepped = self.cell.step(many, flat, matrices)
            cell = tf.nest.map_structure(lambda s, like: tf.reshape(s, tf.shape(like)), stepped, cell)
            log_next, normaliser = next_word(cell, log_so_far)
            return log_next, (cell, log_so_far, normaliser)

        nothing_yet = tf.zeros([batch, num])
        first, normaliser = next_word(cell, nothing_yet)
        return decodings.Words(first, (cell, nothing_yet, normaliser), advance)

    def _start(self, z: tf.Tensor) -> tuple[tf.Tensor, ...]:
        seen = tf.zeros_like(z) if self.config.blind else z
        return self.cell.start(tf.tanh(tf.linalg.matmul(seen, tf.convert_to_tensor(self.c)) + self.b_c))

    def _logits(self, hidden: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matmul(hidden, tf.convert_to_tensor(self.v)) + self.b_v

    def _matrix(self, name: str, *shape: int) -> keras.Variable:
        return self.add_weight(shape=shape, initializer=recurrent.narrow_uniform(), name=name)


def num_words(caption: tf.Tensor) -> tf.Tensor:
    """Words of captions, the end counted as one: int32 [B, T] -> [B]."""
    return tf.reduce_sum(tf.cast(_within(caption), tf.int32), axis=-1)


def _within(caption: tf.Tensor) -> tf.Tensor:
    """Whether a place is a word of its caption, or its end: [B, T] -> bool [B, T]."""
    goes_on = tf.cast(caption[:, :-1] != END, tf.int32)
    return tf.pad(tf.math.cumprod(goes_on, axis=1), [[0, 0], [1, 0]], constant_values=1) > 0


def load_word_vectors(path: str, vocabulary: Sequence[str], variable: keras.Variable) -> int:
    """Puts vectors of a word2vec or GloVe text file into the rows of their words; how many words it has.

    Args:
        path: of the file: a word and its numbers a line; a first line of two numbers is word2vec's header.
        vocabulary: the words of the rows.
        variable: Keras variable [V, M].

    Raises:
        ValueError: if the file cannot be read, has none of the words, or has a line without M numbers.
    """
    row_of = {word: row for row, word in enumerate(vocabulary)}
    vectors, dimensions = variable.numpy().copy(), variable.shape[1]
    found = 0
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                # From the right: some words of public files have blanks in them.
                word, *numbers = line.rstrip().rsplit(" ", dimensions)
                if number == 1 and len(line.split()) == 2:
                    continue
                given = len(line.split()) - 1 if number == 1 else len(numbers)
                if given != dimensions:
                    first = (line.split() or [""])[0][:40]
                    raise ValueError(
                        f"{path}, line {number}: {given} numbers behind {first!r}, the embedding has {dimensions}. "
                        f"Set `model.caption.embedding={given}`, or give another file."
                    )
                if word in row_of:
                    vectors[row_of[word]] = _floats(numbers, path, number)
                    found += 1
    except OSError as error:
        raise ValueError(f"`model.caption.word_vectors` {path} cannot be read: {error.strerror}.") from error
    if not found:
        raise ValueError(f"{path} has a vector for none of the {len(vocabulary)} words; is it of this language?")
    logging.info("%d of %d words have a vector in %s.", found, len(vocabulary), path)
    variable.assign(vectors)
    return found


def _floats(texts: Sequence[str], path: str, line: int) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: {error}; give a word and its numbers, set apart by blanks.") from None
