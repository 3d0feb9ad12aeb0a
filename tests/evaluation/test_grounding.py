"""The worth of an image to its captions, in cases where it is known exactly."""

import numpy as np
import pytest

from tests.evaluation.test_captioning import Teller, data  # noqa: F401
from tfvae.evaluation import grounding
from tfvae.evaluation.measurement import Settings


def test_the_gain_is_over_the_mixture_of_all_images(data):  # noqa: F811
    """ "bright" and "dark" are 0.9 by their own three images and 0.1 by three others; "so" is unknown to all alike."""
    found = grounding.measure(Teller(), data, data.test, Settings())
    assert found["image_nats"] == pytest.approx(6 * np.log(0.9 / 0.5) / 21, rel=1e-5)
    assert found["image_nats_low"] < found["image_nats"] < found["image_nats_high"]
    assert found["image_nats_rows"] == 6 and found["word_auc"] is None
    assert found["likelihood_caption_to_image_rank"] == 3  # Three images say so alike, and ties count against us.


def test_an_image_is_worth_nothing_to_a_model_that_does_not_look(data):  # noqa: F811
    found = grounding.measure(Teller(0.5), data, data.test, Settings())
    assert found["image_nats"] == pytest.approx(0.0, abs=1e-6)
    assert found["likelihood_caption_to_image_rank"] == 6


def test_captions_of_several_calls_are_those_of_one(data, monkeypatch):  # noqa: F811
    expected = grounding.measure(Teller(), data, data.test, Settings())
    del expected["word_auc"], expected["word_aucs"]
    monkeypatch.setattr(grounding, "_CAPTIONS", 12)
    found = grounding.measure(Teller(), data, data.test, Settings())
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_words_are_ranked_by_other_images_captions():
    """12 images: the first six have "dog", whose captions are worth 1 nat on them; "a" is said of all, "cat" of two."""
    split = [["a", "dog"] if i < 6 else ["a", "cat"] if i < 8 else ["a"] for i in range(12)]
    gain = np.zeros([12, 12])
    gain[:6, :6] = 1.0
    assert grounding.word_aucs(gain, np.arange(12), split) == {"dog": 1.0}
    own_alone = np.eye(12)  # A model that knows nothing but which caption is whose.
    assert grounding.word_aucs(own_alone, np.arange(12), split) == {"dog": 0.5}
    assert grounding.word_aucs(-gain, np.arange(12), split) == {"dog": 0.0}


def test_the_interval_is_of_images_and_not_of_captions():
    """Five captions of an image are no five observations."""
    rng = np.random.default_rng(0)
    worth = rng.normal(0.2, 0.1, 40)
    gain = np.tile(worth[:, None], [1, 40])
    once = grounding.image_nats(gain, np.arange(40), np.ones(40))
    often = grounding.image_nats(np.tile(gain, [1, 5]), np.tile(np.arange(40), 5), np.ones(200))
    assert once == pytest.approx(often)
    half = 1.96 * worth.std() / 40**0.5
    assert once["image_nats_high"] - once["image_nats_low"] == pytest.approx(2 * half, rel=0.15)
