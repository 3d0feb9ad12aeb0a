"""Rows survive a record, records are framed as TensorFlow frames them, and a stream is a function of (seed, step)."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import records
from tfvae.data.entries import caption, label
from tfvae.data.entries.image import Image
from tfvae.data.entries.label import Label
from tfvae.storage import tfrecord_format

RAW, PNG = (5, 7, 1), (70, 66, 3)
IMAGE = Image(shape=(2, 2, 1))


def pixels(shape, num=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (num, *shape), np.uint8)


def write(path, serialised):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in serialised:
            writer.write(record)
    return path


@pytest.fixture
def files(tmp_path):
    """Three shards of 7, 8 and 9 records; the first pixel of an image is its number."""
    shards, number = [], 0
    for length in (7, 8, 9):
        rows = []
        for _ in range(length):
            rows.append(records.serialise(np.full((2, 2, 1), number, np.uint8)))
            number += 1
        shards.append(write(tmp_path / f"{length}.tfrecord", rows))
    return shards


@pytest.mark.parametrize(("shape", "stored"), [(RAW, "raw"), (PNG, "png"), ((80, 80, 3), "png"), ((64, 64, 3), "raw")])
def test_a_batch_of_rows_survives_its_records_bit_for_bit(shape, stored):
    image = pixels(shape)
    labels = [3, None, 0, -1, 9, None]
    serialised = [records.serialise(row, label) for row, label in zip(image, labels, strict=True)]
    entries = records.parse(tf.constant(serialised), [Image(shape=shape), label.ENTRY])
    assert Image(shape=shape).storage == stored
    np.testing.assert_array_equal(entries["image"], image)
    np.testing.assert_array_equal(entries["label"], [3, -1, 0, -1, 9, -1])


def test_parse_keeps_static_shapes_in_a_graph():
    parse = tf.function(
        lambda rows: records.parse(rows, [Image(shape=PNG)]), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    assert parse.get_concrete_function().structured_outputs["image"].shape.as_list() == [None, *PNG]


def test_equal_rows_give_equal_bytes_and_captions_come_back():
    image = pixels(RAW, 2)
    texts = {"caption": ("a dog", "ein Hündchen"), "tags": ("dog", "small"), "file_name": "a.png"}
    first = records.serialise(image[0], 1, **texts)
    assert first == records.serialise(image[0].copy(), 1, **texts)
    found = records.parse(tf.constant([first, records.serialise(image[1])]), [caption.ENTRY])["caption"].to_list()
    assert [[text.decode() for text in row] for row in found] == [["a dog", "ein Hündchen"], []]


@pytest.mark.parametrize("shape", [(7, 5, 1), (5, 7, 3), (35, 1, 1)])
def test_an_image_of_another_shape_is_refused_even_with_as_many_bytes(shape):
    with pytest.raises(tf.errors.InvalidArgumentError):
        records.parse(tf.constant([records.serialise(pixels(shape)[0])]), [Image(shape=RAW)])


def test_problem_is_silent_about_good_records():
    image = pixels(RAW)[0]
    read = [Image(shape=RAW), Label(3)]
    assert not records.problem(records.serialise(image, 2), read, ("image", "label"))
    assert not records.problem(records.serialise(image), read, ("image",))


def test_our_framing_agrees_with_that_of_tensorflow(tmp_path):
    payloads = [b"", b"a", bytes(range(256)) * 3, b"123456789"]
    path = write(tmp_path / "some.tfrecord", payloads)
    found = list(tfrecord_format.frames(path))
    assert [frame.payload for frame in found] == payloads
    ends = np.cumsum([tfrecord_format.size(payload) for payload in payloads]).tolist()
    assert [frame.offset for frame in found] == [0, *ends[:-1]]
    assert path.stat().st_size == ends[-1]
    assert tfrecord_format.count(path) == len(payloads)


def test_an_epoch_of_the_stream_holds_every_record_once_in_another_order(files):
    batches = list(records.stream(files, IMAGE, batch_size=6, seed=1).take(8))
    numbers = np.concatenate([batch[:, 0, 0, 0] for batch in batches])
    first, second = numbers[:24], numbers[24:]
    assert sorted(first) == sorted(second) == list(range(24))
    assert list(first) != list(second)
    assert list(first) != sorted(first)


@pytest.mark.parametrize("block", [5, 8192])
def test_a_stream_that_starts_at_a_step_goes_on_as_the_one_that_ran_to_it(files, monkeypatch, block):
    monkeypatch.setattr(records, "_BLOCK_RECORDS", block)
    whole = np.array(list(records.stream(files, IMAGE, batch_size=5, seed=1).take(24)))
    for start in (1, 4, 5, 19):
        rest = np.array(list(records.stream(files, IMAGE, batch_size=5, seed=1, start_step=start).take(5)))
        np.testing.assert_array_equal(rest, whole[start : start + 5], err_msg=f"start_step={start}")


def test_a_stream_depends_on_its_own_seed_alone(files):
    def first(seed, of_the_process):
        tf.random.set_seed(of_the_process)
        return next(iter(records.stream(files, IMAGE, batch_size=20, seed=seed))).numpy()

    np.testing.assert_array_equal(first(1, 0), first(1, 5))
    assert (first(1, 0) != first(2, 0)).any()


def test_a_batch_may_be_larger_than_an_epoch(files):
    batch = next(iter(records.stream(files, IMAGE, batch_size=50, seed=1)))
    assert batch.shape == (50, 2, 2, 1)
    assert np.bincount(batch[:48, 0, 0, 0]).tolist() == [2] * 24


def test_a_stream_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no record"):
        records.stream([write(tmp_path / "empty.tfrecord", [])], IMAGE, batch_size=5, seed=1)
