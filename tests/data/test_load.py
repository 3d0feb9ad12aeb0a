"""Splits, streams and transforms, from a config to batches."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import load, mixture, split, transforms
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source
from tfvae.probability import noise

BINARISE = transforms.Config(noise="binarise")


@pytest.fixture(scope="module")
def digits():
    return load.load(load.Config(transform=BINARISE))


def take(dataset, num):
    return [tf.nest.map_structure(np.asarray, batch) for batch in dataset.take(num)]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second)))


def test_roles_do_not_overlap_and_labels_are_balanced(digits):
    labelled, unlabelled, validation = (set(digits.split[n]) for n in ("labelled", "unlabelled", "validation"))
    assert not validation & (labelled | unlabelled)
    assert labelled < unlabelled, "labelled images stay among the unlabelled ones"
    assert np.bincount(digits.labelled.label).tolist() == [10] * 10
    assert len(digits.train) == 1297 - 100
    assert len(digits.test) == 500
    assert np.ptp(np.bincount(digits.validation.label)) <= 2


def test_another_label_seed_draws_others_but_the_same_validation_rows():
    splits = [load.load(load.Config(label_seed=s)).split for s in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0]["labelled"] != splits[2]["labelled"]
    assert splits[0]["validation"] == splits[2]["validation"]


def test_batches_have_exact_counts_and_binary_pixels(digits):
    (batch,) = take(digits.training_batches(seed=0), 1)
    assert batch["labelled"]["image"].shape == (100, 64)
    assert batch["labelled"]["label"].shape == (100,)
    assert batch["unlabelled"]["image"].shape == (100, 64)
    assert set(np.unique(batch["unlabelled"]["image"])) == {0.0, 1.0}
    assert "label" not in batch["unlabelled"]


def test_a_batch_carries_the_numbers_of_its_rows(digits):
    """Of the same training image the same number, in whichever stream; validation rows have none."""
    config = load.Config(entries=("row",), transform=transforms.Config(scale="raw", flatten=True))
    data = load.load(config)
    images = data.train.image.reshape(len(data.train), -1)
    for batch in take(data.training_batches(seed=0), 3):
        for stream in ("labelled", "unlabelled"):
            entries = batch[stream]
            np.testing.assert_array_equal(entries["image"], images[entries["row"]])
        np.testing.assert_array_equal(batch["labelled"]["label"], data.train.label[batch["labelled"]["row"]])
    assert "row" not in take(digits.training_batches(seed=0), 1)[0]["unlabelled"]


def test_a_batch_is_a_function_of_seed_and_step(digits):
    straight = take(digits.training_batches(seed=0), 26)
    resumed = take(digits.training_batches(seed=0, start_step=15), 11)
    assert same(straight[15:], resumed)
    assert not same(straight, take(digits.training_batches(seed=1), 26))


def test_binarisation_is_drawn_anew_each_time(digits):
    first, second = take(digits.training_batches(seed=0), 2)
    order = [np.argsort(batch["labelled"]["label"], kind="stable") for batch in (first, second)]
    assert not np.array_equal(first["labelled"]["image"][order[0]], second["labelled"]["image"][order[1]])


def test_replicas_get_consecutive_parts_of_the_same_batch(digits):
    (whole,) = take(digits.training_batches(seed=0), 1)
    parts = take(digits.training_batches(seed=0, num_replicas=2), 2)
    for stream, entries in whole.items():
        for name, value in entries.items():
            np.testing.assert_array_equal(np.concatenate([part[stream][name] for part in parts]), value)


def test_a_batch_that_replicas_cannot_share_is_refused(digits):
    with pytest.raises(ValueError, match="multiple of 3"):
        digits.training_batches(seed=0, num_replicas=3)


def test_every_row_appears_once_an_epoch():
    indices = np.concatenate(list(mixture.batch_indices(12, 4, noise.seed(0)).take(6).as_numpy_iterator()))
    assert sorted(indices[:12]) == list(range(12))
    assert sorted(indices[12:]) == list(range(12))
    assert list(indices[:12]) != list(indices[12:])


def test_a_batch_larger_than_the_rows_repeats_each_equally():
    (indices,) = mixture.batch_indices(6, 16, noise.seed(0)).take(1).as_numpy_iterator()
    assert set(np.bincount(indices, minlength=6)) == {2, 3}


def test_evaluation_batches_hold_all_rows_once_and_repeat(digits):
    batches = take(digits.evaluation_batches(digits.test, seed=3, batch_size=200), 10)
    assert [len(batch["labelled"]["label"]) for batch in batches] == [200, 200, 100]
    assert same(batches, take(digits.evaluation_batches(digits.test, seed=3, batch_size=200), 10))
    np.testing.assert_array_equal(np.concatenate([b["labelled"]["label"] for b in batches]), digits.test.label)


def test_frozen_split_is_used_again_and_an_altered_one_refused(digits):
    config = load.Config(transform=BINARISE, label_seed=7)
    again = load.load(config, digits.split)
    np.testing.assert_array_equal(again.labelled.image, digits.labelled.image)
    altered = {**digits.split, "labelled": digits.split["labelled"][1:]}
    with pytest.raises(ValueError, match="altered"):
        load.load(config, altered)


def test_split_of_other_data_is_refused(digits):
    moons = load.Config(source="moons", transform=transforms.Config(scale="raw"))
    with pytest.raises(ValueError, match="other data"):
        load.load(moons, digits.split)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "imagenet"}, "digits"),
        ({"labels_per_class": 200}, "asks for more"),
        ({"labelled_batch": 0, "unlabelled_batch": 0}, "nothing to train on"),
        ({"source": "tfds"}, "data.name"),
        ({"source": "tfds", "name": "no_such_set", "data_dir": "nowhere"}, "no_such_set"),
        ({"source": "moons", "name": "thirteen"}, "code"),
        ({"transform": transforms.Config(noise="salt")}, "binarise"),
        ({"transform": transforms.Config(noise="binarise", scale="standardise")}, "unit"),
        ({"transform": transforms.Config(min_pixel_std=0.1, flatten=False)}, "flatten"),
        ({"transform": transforms.Config(min_pixel_std=0.5)}, "lower it"),
    ],
)
def test_what_cannot_be_is_refused_before_training(changes, message):
    with pytest.raises(ValueError, match=message):
        load.load(dataclasses.replace(load.Config(), **changes))


def test_training_without_labels_asks_for_none():
    with pytest.raises(ValueError, match="labelled_batch=0"):
        load.load(load.Config(source="nothing", num_validation=10, transform=transforms.Config(scale="raw")))


def test_labels_out_of_range_are_named(monkeypatch):
    rows = Examples(np.zeros([9, 2, 2, 1], np.uint8), np.array([0, 1, 2, 7, 0, 1, 2, 0, 1]))
    source = Source(rows, rows.take([0, 1]), ("a", "b", "c"))
    monkeypatch.setattr(load, "_source", lambda config, frozen_split: source)
    with pytest.raises(ValueError, match="row 3 is 7, labels are 0 to 2"):
        load.load(load.Config(labels_per_class=0, num_validation=2))


def test_rows_without_labels_are_never_drawn_as_labelled(rng):
    label = np.array([NO_LABEL] * 50 + [0, 1] * 10)
    rows = Examples(rng.integers(0, 255, [70, 2, 2, 1]).astype(np.uint8), label)
    drawn = split.draw(Source(rows, rows), load.Config(labels_per_class=4, num_validation=6))
    assert (label[drawn["labelled"]] != NO_LABEL).all()
    assert (label[drawn["validation"]] != NO_LABEL).all(), "only labelled rows can be validated on"
    assert len(drawn["labelled"]) == 8


def test_validation_leaves_four_fifths_to_train_on(rng):
    """A folder of 60 labelled photographs must not lose them all to a default made for thousands."""
    label = np.array([0, 1, 2] * 20 + [NO_LABEL] * 60)
    rows = Examples(rng.integers(0, 255, [120, 2, 2, 1]).astype(np.uint8), label)
    drawn = split.draw(Source(rows, rows), load.Config(labels_per_class=0, num_validation=100))
    assert len(drawn["validation"]) == 12
    assert len(drawn["labelled"]) == 48
    assert len(drawn["unlabelled"]) == 108


def test_moons_of_the_authors_code_fix_the_six_labelled_points():
    raw = transforms.Config(scale="raw")
    data = load.load(load.Config(source="moons", name="code", num_validation=100, transform=raw))
    np.testing.assert_allclose(data.labelled.image[0], [0.7, 1.7], rtol=1e-6)
    assert data.labelled.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.info.image_shape == (2,)


def test_validation_never_takes_more_than_a_fifth():
    data = load.load(load.Config(source="digits", num_validation=5000))
    rows = len(data.train) + len(data.validation)
    assert len(data.validation) == rows // 5


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64])
def test_images_that_a_source_did_not_prepare_are_refused(monkeypatch, dtype, survives):
    rows = Examples(np.zeros([9, 2, 2, 1], dtype), np.arange(9) % 3)
    monkeypatch.setattr(load, "_source", lambda *args: Source(rows, rows, ("a", "b", "c")))
    said = f"dtype {dtype.__name__}, images are uint8"
    with survives(f"53 a source of {dtype.__name__}"), pytest.raises(ValueError, match=said):
        load.load(load.Config())
