"""Images that stay in their shards: every stream is read from files larger than the allowed memory, in its order."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests import made_captions
from tfvae.data import ingest, load, transforms
from tfvae.data.columns import Stored


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """50 captioned images of 16x16 in colour, 38,400 bytes, two thirds of them labelled, in several shards."""
    root = tmp_path_factory.mktemp("stored")
    coco = made_captions.write_coco(root / "coco", splits=("train",), wordings=2)
    names = sorted((coco / "train2014").glob("*.png"))
    labels = [{"file_name": f"train2014/{path.name}", "label": "ab"[i % 2]} for i, path in enumerate(names) if i % 3]
    (coco / "metadata.jsonl").write_text("\n".join(map(json.dumps, labels)))
    ingest.ingest(coco, root / "shards", records_per_shard=9, report=lambda text: None)
    return root / "shards"


def loaded(shards, limit, frozen=None, **fields):
    fields = {"labelled_batch": 6, "captioned_batch": 5, "unlabelled_batch": 4, "labels_per_class": 0, **fields}
    config = load.Config(source="shards", path=str(shards), max_memory_bytes=limit, num_validation=4, **fields)
    config.captions.min_count = 1
    return load.load(config, frozen)


def batches(data, num, start=0, seed=1):
    return [tf.nest.map_structure(np.asarray, batch) for batch in data.training_batches(seed, start).take(num)]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True))


@pytest.fixture(scope="module")
def both(shards):
    return loaded(shards, 1 << 30), loaded(shards, 9_000)


def test_beyond_the_limit_images_stay_in_their_files(both):
    in_memory, stored = both
    assert not in_memory.train.stored and stored.train.stored and stored.split["stored"]
    assert isinstance(stored.captioned["image"], Stored) and isinstance(stored.labelled["image"], Stored)
    np.testing.assert_array_equal(stored.train.image, in_memory.train.image)
    assert stored.train.captions == in_memory.train.captions


def test_batches_are_those_of_images_in_memory(both):
    in_memory, stored = both
    assert same(batches(in_memory, 12), batches(stored, 12))


def test_a_stored_stream_goes_on_where_it_was_stopped(both):
    whole = batches(both[1], 15)
    assert same(whole[11:], batches(both[1], 4, start=11))


def test_a_few_images_of_a_large_set_are_read_into_memory(shards):
    data = loaded(shards, 9_000, labels_per_class=1, captioned_batch=0)
    assert isinstance(data.labelled["image"], np.ndarray) and data.train.stored
    assert len(data.labelled) == 2


def test_a_transform_is_fitted_on_a_sample_and_frozen(shards):
    scale = transforms.Config(scale="standardise")
    data = loaded(shards, 9_000, transform=scale)
    again = loaded(shards, 9_000, json.loads(json.dumps(data.split)), transform=scale)
    assert again.transform.state() == data.transform.state() and np.ptp(data.transform.divisor) > 0


def test_held_out_images_that_exceed_memory_are_told(tmp_path):
    coco = made_captions.write_coco(tmp_path / "coco", splits=("train", "val"))
    ingest.ingest(coco, tmp_path / "shards", report=lambda text: None)
    with pytest.raises(ValueError, match="validation images take 38,400 bytes in memory"):
        loaded(tmp_path / "shards", 20_000, labelled_batch=0)


def test_other_records_are_other_data(shards, both):
    frozen = json.loads(json.dumps(both[1].split))
    with pytest.raises(ValueError, match="other data"):
        loaded(shards, 9_000, {**frozen, "data": both[0].split["data"]})


def test_a_shard_that_was_cut_is_told_when_it_is_read(shards, tmp_path):
    copy = shutil.copytree(shards, tmp_path / "shards")
    data = loaded(copy, 9_000)
    for path in copy.glob("train-labelled-*.tfrecord"):
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(tf.errors.UnknownError, match="ends inside a record"):
        batches(data, 1)
