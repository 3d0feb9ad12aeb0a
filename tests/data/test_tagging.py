"""Tags of columns and of captions, and empty ones."""

import collections
import types

import numpy as np
import pytest

from tests import made_captions
from tfvae.data import entries, load, tagging


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    return made_captions.write_coco(tmp_path_factory.mktemp("data") / "coco", wordings=2)


def config(path, **fields):
    tags = tagging.Config(source="captions", words=fields.pop("words", "all"), **fields)
    return load.Config(
        source="folder", path=str(path), labelled_batch=0, unlabelled_batch=0, batches={"tagged": 5}, num_validation=10,
        tags=tags,
    )  # fmt: skip


def test_nouns_stand_between_a_determiner_and_what_follows_a_noun_phrase():
    texts = [
        "A brown dog is running in the grass.", "The dog in red jumps over a ball",
        "two dogs are playing with the ball", "A man in a blue shirt is walking on the grass",
        "The brown shirt of the man",
    ]  # fmt: skip
    assert tagging.nouns(texts) == {"dog", "dogs", "grass", "ball", "man"}  # "shirt" always follows a colour.


def test_the_words_of_captions_are_tags(coco):
    data = load.load(config(coco))
    known = data.info.names["tags"]
    (batch,) = data.training_batches(seed=0).take(1)
    assert batch["tagged"]["tags"].shape == (5, len(known))
    said = dict(zip(map(bytes, data.observe(data.train)), data.train.captions))
    for image, row in zip(batch["tagged"]["image"].numpy(), batch["tagged"]["tags"].numpy()):
        words = {word for text in said[bytes(image)] for word in text.lower().replace(",", "").strip(".").split()}
        assert {known[i] for i in np.flatnonzero(row)} == words


def test_rare_tags_are_left_out_and_the_most_frequent_are_kept():
    column = [("a", "b"), ("a",), ("a", "c"), ("b",)]
    assert tagging.known(column, tagging.Config()) == ("a", "b", "c")
    assert tagging.known(column, tagging.Config(min_count=2)) == ("a", "b")
    assert tagging.known(column, tagging.Config(most=1)) == ("a",)


def test_tags_that_nobody_has_often_enough_are_told():
    with pytest.raises(ValueError, match=r"most frequent one, 'a', is of 2.*min_count"):
        tagging.known([("a",), ("a", "b")], tagging.Config(min_count=3))


def test_tags_of_captions_without_captions_are_told():
    with pytest.raises(ValueError, match="needs captions, and no training image has one"):
        load.load(load.Config(tags=tagging.Config(source="captions")))


def test_no_tags_at_all_are_told():
    with pytest.raises(ValueError, match="No training image has a tag"):
        load.load(load.Config(labelled_batch=0, batches={"tagged": 5}))


@pytest.mark.parametrize("fields", [{"source": "names"}, {"words": "verbs"}, {"min_count": 0}, {"most": -1}])
def test_a_choice_that_is_none_is_refused(fields):
    with pytest.raises(ValueError, match=r"data\.tags"):
        load.load(load.Config(tags=tagging.Config(**fields)))


def test_some_images_keep_their_tags():
    def loaded(**fields):
        return load.load(load.Config(source="tagged_digits", labelled_batch=0, batches={"tagged": 5}, **fields))

    data, again = loaded(num_tagged=40), loaded(num_tagged=40, label_seed=1)
    assert len(data.further["tagged"]) == 40 and data.split["tagged"] != again.split["tagged"]
    assert data.split["validation"] == again.split["validation"]
    with pytest.raises(ValueError, match="num_tagged"):
        loaded(num_tagged=4000)


def test_digits_are_tagged_by_what_they_are():
    data = load.load(load.Config(source="tagged_digits", labelled_batch=0, batches={"tagged": 5}))
    eights = data.test.take(data.test.label == 8)
    assert set(eights["tags"]) == {("loop", "curve", "even", "large", "round")}


def test_an_empty_tag_is_left_out_and_counted():
    repairs = collections.Counter()
    cells = types.SimpleNamespace(repairs=repairs, texts=lambda name: ["dog,, small", " ; cat"])
    assert entries.named("tags").read(cells) == ("dog", "small", "cat") and repairs == {"tag empty": 2}
