"""Captions as text and as numbers."""

import numpy as np
import pytest

from tfvae.data import captions
from tfvae.data.captions import Vocabulary

TEXTS = ["A dog runs.", "a dog, a Cat!", "The cat's dog", "ÉCLAIR éclair"]


def test_words_are_lower_case_letters_digits_and_apostrophes():
    assert captions.split_words(["A dog-like thing (2 of them), isn’t it?  ", "", "«Ünïted» 3×3 日本 犬"]) == [
        ["a", "dog", "like", "thing", "2", "of", "them", "isn't", "it"],
        [],
        ["ünïted", "3", "3", "日本", "犬"],
    ]


def test_invalid_utf8_is_replaced_rather_than_refused():
    assert captions.normalised(b"a \xff\xfe dog").numpy() == b"a dog"


def test_a_vocabulary_is_ordered_by_counts_and_leaves_rare_words_out():
    made = captions.build(TEXTS, captions.Config(min_count=2, max_words=4))
    assert made.words == ("<end>", "<unk>", "a", "dog", "éclair")
    assert made.length == 5


def test_captions_are_cut_and_always_end():
    vocabulary = Vocabulary(("<end>", "<unk>", "a", "dog", "runs"), 4)
    ids = vocabulary.ids(["A dog runs.", "a bird", "a dog runs a dog runs", ""])
    np.testing.assert_array_equal(ids, [[2, 3, 4, 0], [2, 1, 0, 0], [2, 3, 4, 0], [0, 0, 0, 0]])
    assert vocabulary.texts(ids) == ["a dog runs", "a <unk>", "a dog runs", ""]


def test_captions_of_an_image_stand_side_by_side():
    vocabulary = Vocabulary(("<end>", "<unk>", "a", "dog"), 3)
    ids = captions.stacked([("a dog", "dog"), ("a",), ()], vocabulary)
    np.testing.assert_array_equal(ids, [[[2, 3, 0], [3, 0, 0]], [[2, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])


def test_a_file_of_words_is_used_as_it_is(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("<end>\n<unk>\ndog\na\n\n")
    made = captions.build([], captions.Config(vocabulary=str(path)))
    assert made.words == ("<end>", "<unk>", "dog", "a")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("dog\ncat\ndog\n", "more than once"),
        ("dog\nCat\n", "lower case"),
        ("\n", "no words"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_file_that_is_no_list_of_words_is_refused(tmp_path, content, told):
    path = tmp_path / "words.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=told):
        captions.build([], captions.Config(vocabulary=str(path)))


def test_no_word_that_is_frequent_enough_is_refused():
    with pytest.raises(ValueError, match="min_count"):
        captions.build(["a dog", "the cat"], captions.Config(min_count=2))


@pytest.mark.parametrize("fields", [{"tokenizer": "letters"}, {"min_count": 0}, {"max_words": 0}])
def test_settings_that_make_no_captions_are_refused(fields):
    with pytest.raises(ValueError, match=f"data.captions.{next(iter(fields))}"):
        captions.build(TEXTS, captions.Config(**fields))


def test_captions_without_words_make_no_pieces():
    pytest.importorskip("keras_hub")
    with pytest.raises(ValueError, match="No word is frequent enough"):
        captions.build(["..."], captions.Config(tokenizer="word_pieces"))


def test_word_pieces_cut_unknown_words_into_known_pieces():
    pytest.importorskip("keras_hub")
    texts = ["playing played plays", "jumping jumped jumps", "playing jumping"] * 20
    config = captions.Config(tokenizer="word_pieces", num_pieces=40, max_words=20)
    made = captions.build(texts, config)
    assert any(piece.startswith("##") for piece in made.words)
    ids = made.ids(["jumped playing", "plays"])
    assert made.texts(ids) == ["jumped playing", "plays"]
    assert not (ids == captions.UNKNOWN).any()
    assert (made.ids(["犬"])[0, 0], made.ids([""])[0, 0]) == (captions.UNKNOWN, captions.END)
