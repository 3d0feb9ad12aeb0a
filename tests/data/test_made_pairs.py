"""Pairs that are made of digits: halves, colours and edges; and few pairs among many images alone."""

import numpy as np
import pytest

from tfvae.data import load, transforms
from tfvae.data.sources import coloured

SIZES = {"unlabelled_batch": 8, "batches": {"paired": 4, "image_bottom": 8}}


def config(source="halves", **fields):
    fields = {**SIZES, "labelled_batch": 0, "labelled_stay_unlabelled": False, **fields}
    return load.Config(source=source, transform=transforms.Config(flatten=False), **fields)


@pytest.fixture(scope="module")
def few():
    return load.load(config(num_paired=100))


def test_halves_are_a_digit_when_put_together(few):
    whole = load.load(load.Config()).test.image
    halves = np.concatenate([few.test["image"], few.test["image_bottom"]], axis=1)
    np.testing.assert_array_equal(halves, whole)


def test_few_pairs_are_kept_and_the_others_are_halved_between_the_modalities(few):
    paired, top, bottom = (set(few.split[name]) for name in ("paired", "unlabelled", "image_bottom"))
    assert len(paired) == 100 and len(few.validation) == 100
    assert not (paired & top or paired & bottom or top & bottom)
    assert len(paired | top | bottom) == 1297 - 100 and abs(len(top) - len(bottom)) <= 1
    assert not set(few.split["validation"]) & (paired | top | bottom)


def test_images_of_pairs_may_be_among_those_alone():
    data = load.load(config(num_paired=100, labelled_stay_unlabelled=True))
    paired, top, bottom = (set(data.split[name]) for name in ("paired", "unlabelled", "image_bottom"))
    assert paired == top & bottom


def test_pairs_are_drawn_by_the_seed(few):
    other = load.load(config(num_paired=100, label_seed=1))
    assert few.split["paired"] != other.split["paired"] and few.split["validation"] == other.split["validation"]
    again = load.load(config(num_paired=100), few.split)
    assert again.split["paired"] == few.split["paired"]


def test_more_pairs_than_there_are_are_refused():
    with pytest.raises(ValueError, match="asks for more than the 1197 training examples"):
        load.load(config(num_paired=5000))


def test_edges_have_the_colour_that_goes_with_the_digits():
    data = load.load(config("coloured", batches={"paired": 4, "image_edges": 8}, num_paired=10))
    painted, edges = data.test["image"], data.test["image_edges"]
    assert painted.shape == edges.shape == (500, 8, 8, 3)
    of_digit = painted.reshape(500, -1, 3).max(axis=1)
    np.testing.assert_array_equal(np.unique(of_digit, axis=0), np.unique(coloured.COLOURS, axis=0))
    number = (of_digit[:, None] == coloured.COLOURS).all(-1).argmax(1)
    np.testing.assert_array_equal(edges.reshape(500, -1, 3).max(axis=1), coloured.EDGE_COLOURS[number])


def test_the_edges_of_a_square_are_its_border():
    gray = np.zeros([1, 9, 9], np.uint8)
    gray[0, 2:7, 2:7] = 200
    found = coloured.edges(gray, np.array([[255, 0, 0]], np.uint8))[0, ..., 0]
    assert found[4, 4] == 0 and found[0, 0] == 0 and found[4, 2] > 200 and found.max() == 255


def test_unseen_classes_are_for_the_test_alone():
    data = load.load(config(unseen_classes=(8, 9), num_paired=10))
    assert data.train.label.max() == 7 and data.validation.label.max() == 7 and data.test.label.max() == 9
    with pytest.raises(ValueError, match=r"unseen_classes.*\[10\]"):
        load.load(config(unseen_classes=(10,)))
