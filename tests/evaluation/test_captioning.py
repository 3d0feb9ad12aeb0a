"""Metrics of captions, against hand-computed cases and sacrebleu."""

import math
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.data.captions import Vocabulary
from tfvae.data.examples import Examples
from tfvae.evaluation import captioning
from tfvae.evaluation.measurement import Settings
from tfvae.heads import caption

MADE = ["a dog runs on the grass", "two people sit", "the the the the"]
REFERENCES = [
    ("a brown dog runs on the grass", "a dog is running"),
    ("two people are sitting on a bench", "two men sit outside"),
    ("the cat sat on the mat", "there is a cat"),
]


def test_bleu_by_hand():
    """Papineni et al. 2002: "the the the the" against "the cat sat on the mat" has a clipped precision of 2/4."""
    found = captioning.overlap(["the the the the"], [("the cat sat on the mat",)], meteor=False)
    assert found["bleu1"] == pytest.approx(0.5 * math.exp(1 - 6 / 4), rel=1e-4)
    assert captioning.overlap(MADE, [(text,) for text in MADE], meteor=False)["bleu4"] == pytest.approx(1.0, abs=1e-3)


def test_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    found = captioning.overlap(MADE, REFERENCES, meteor=False)
    for n in range(1, 5):
        bleu = sacrebleu.metrics.BLEU(
            tokenize="none", smooth_method="none", max_ngram_order=n, lowercase=False, effective_order=False
        )
        # pycocoevalcap takes the closest length of the references too, sentence by sentence.
        expected = bleu.corpus_score(MADE, [list(column) for column in zip(*REFERENCES)]).score / 100
        assert found[f"bleu{n}"] == pytest.approx(expected, abs=2e-4)


def test_rouge_by_hand():
    """Longest common subsequence "a dog on grass" of 4: precision 4/4, recall 4/6, F with β = 1.2."""
    found = captioning.overlap(["a dog on grass"], [("a big dog lies on grass",)], meteor=False)
    precision, recall, beta = 1.0, 4 / 6, 1.2
    assert found["rouge_l"] == pytest.approx((1 + beta**2) * precision * recall / (recall + beta**2 * precision))


def test_cider_rewards_what_is_particular_to_an_image():
    common = captioning.overlap(["a dog", "a dog", "a cat"], [("a dog",), ("a dog",), ("a zebra",)], meteor=False)
    rare = captioning.overlap(["a bird", "a bird", "a zebra"], [("a dog",), ("a dog",), ("a zebra",)], meteor=False)
    assert rare["cider"] > 0 and common["cider"] > 0
    assert captioning.overlap(["x"] * 3, [("a dog",), ("a dog",), ("a zebra",)], meteor=False)["cider"] == 0.0


@pytest.mark.skipif(not shutil.which("java"), reason="METEOR needs Java")
def test_meteor_is_1_for_the_same_words():
    found = captioning.overlap(MADE[:2], [(text,) for text in MADE[:2]])
    assert found["meteor"] > 0.9


VOCABULARY = Vocabulary(("<end>", "<unk>", "dark", "bright"), 3)


class Teller:
    """Says "bright" of images above 1/2, and is as sure of it as `p`; a code is the image's mean."""

    num_classes, latent_dim, widest_layer = 0, 1, 1
    config = types.SimpleNamespace(caption=caption.Config())

    def __init__(self, p=0.9):
        self.p = p

    def can(self, capability):
        return capability is Capability.CAPTION

    def codes(self, image, num_samples=1, seed=None):
        return tf.repeat(tf.reduce_mean(image, axis=[1, 2, 3])[None, :, None], num_samples, axis=0)

    def caption_of_codes(self, s, seed=None, decoding=""):
        word = tf.where(s[0, :, 0] > 0.5, 3, 2)
        return tf.stack([word, 0 * word, 0 * word], axis=1), tf.zeros(len(word))

    def caption_log_prob(self, s, words):
        """p(first word) is p where it is right; the end is certain."""
        right = tf.where(s[0, :, 0] > 0.5, 3, 2) == words[:, 0]
        return tf.math.log(tf.where(right, self.p, 1.0 - self.p))


@pytest.fixture
def data():
    image = np.zeros([6, 2, 2, 1], np.uint8)
    image[::2] = 255
    texts = tuple(("bright", "so bright") if i % 2 == 0 else ("dark",) for i in range(6))
    rows = Examples(image, np.full(6, -1, np.int64), caption=texts)
    return types.SimpleNamespace(
        test=rows, vocabulary=VOCABULARY, observe=lambda rows, seed=None: rows.image.astype(np.float32) / 255
    )


def test_perplexity_counts_every_word_of_every_caption(data):
    """9 captions: 6 of one word and an end, 3 of two words ("so" is unknown and wrong here)."""
    found = captioning.likelihood(Teller(), data, data.test)
    log_p = 6 * np.log(0.9) + 3 * np.log(0.1)
    assert found["word_nats"] == pytest.approx(-log_p / (6 * 2 + 3 * 3), rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(found["word_nats"]))
    assert found["unknown_words"] == pytest.approx(3 / 21)
    assert captioning.perplexity(Teller(), data, data.test) == pytest.approx(found["perplexity"])


def test_another_image_s_code_tells_a_model_that_looks_from_one_that_does_not(data):
    looks, blind = captioning.likelihood(Teller(), data, data.test), captioning.likelihood(Teller(0.5), data, data.test)
    assert looks["perplexity_shuffled"] > looks["perplexity"]
    assert blind["perplexity_shuffled"] == pytest.approx(blind["perplexity"])


def test_measured_are_words_and_overlap(data):
    found = captioning.measure(Teller(), data, data.test, Settings(), meteor=False)
    assert found["bleu1"] > 0.9 > 0.5 > found["bleu1_shuffled"]
    assert {"bleu4", "cider", "rouge_l", "perplexity", "captioned_rows", "captions"} <= set(found)
    assert (found["captioned_rows"], found["captions"]) == (6, 9)


def test_no_image_is_compared_with_its_own_code(data, monkeypatch):
    """Batches of two for three rows: the last one is not left alone."""
    monkeypatch.setattr(captioning, "_IMAGES", 2)
    three = data.test.take(np.arange(3))
    sizes = [count for _, count, _ in captioning._coded(Teller(), data, three, 1, None)]
    assert sizes == [3]


def test_rows_without_captions_are_left_out_or_told(data):
    without = Examples(data.test.image, data.test.label)
    assert captioning.applies(Teller(), data, data.test) and not captioning.applies(Teller(), data, without)
    with pytest.raises(ValueError, match="No row has a caption"):
        captioning.measure(Teller(), data, without, Settings())
