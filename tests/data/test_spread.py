"""Ingestion in pieces: spread over workers, resumed after a kill, from sets of TFDS, from a pipeline's examples."""

import gzip
import multiprocessing

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.test_tfds import make
from tfvae.data import ingest, ingest_tfds, load, manifest, reshard

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture
def photos(tmp_path, rng):
    """Twelve images of two classes and eight unlabelled ones, and a file that is not an image."""
    for place, num in (("cat", 6), ("dog", 6), ("unlabelled", 8)):
        (tmp_path / "photos" / place).mkdir(parents=True)
        for i in range(num):
            pixels = rng.integers(0, 256, [6, 6], np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / place / f"{i}.png")
    (tmp_path / "photos" / "cat" / "bad.png").write_text("no image")
    return tmp_path / "photos"


def quietly(*args, **kwargs):
    return ingest.ingest(*args, report=lambda text: None, **kwargs)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def reversed_map(function, values):
    """What a distributed runner does: in any order, each by itself, results in the order of the values."""
    values = list(values)
    with multiprocessing.pool.ThreadPool(2) as pool:
        done = pool.map(function, values[::-1])
    return done[::-1]


def test_spread_work_gives_the_same_bytes(photos, tmp_path):
    alone = quietly(photos, tmp_path / "alone", records_per_shard=3)
    spread = quietly(photos, tmp_path / "spread", records_per_shard=3, spread=reversed_map, resume=True)
    assert spread == alone and len(alone.shards) > 4
    assert contents(tmp_path / "alone") == contents(tmp_path / "spread")
    assert [file for file, _ in spread.rejects] == ["cat/bad.png"]


def killed_after(num):
    """A `map` that dies after some results, as a process that is killed does."""

    def spread(function, values):
        for i, value in enumerate(values):
            if i == num and getattr(function, "func", None) is ingest._written:
                raise KeyboardInterrupt
            yield function(value)

    return spread


def test_an_ingestion_that_was_killed_is_gone_on_with(photos, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        quietly(photos, tmp_path / "out", records_per_shard=3, spread=killed_after(2), resume=True)
    assert not (tmp_path / "out").exists()
    (partial,) = tmp_path.glob(".out.unfinished/*/made")
    first = sorted(path.name for path in partial.glob("*.tfrecord"))
    assert len(first) == 2
    written = []
    monkeypatch.setattr(manifest, "describe", _noting(written, manifest.describe))
    resumed = quietly(photos, tmp_path / "out", records_per_shard=3, resume=True)
    assert len(written) == len(resumed.shards) - 2 and not set(written) & set(first)
    assert not list(tmp_path.glob(".out*"))
    quietly(photos, tmp_path / "alone", records_per_shard=3)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def _noting(written, describe):
    def noting(path, num):
        written.append(path.name)
        return describe(path, num)

    return noting


def test_another_image_under_the_same_name_is_not_resumed(photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        quietly(photos, tmp_path / "out", records_per_shard=3, spread=killed_after(2), resume=True)
    Image.fromarray(np.zeros([6, 6], np.uint8)).save(photos / "cat" / "0.png")
    quietly(photos, tmp_path / "out", records_per_shard=3, resume=True)
    quietly(photos, tmp_path / "alone", records_per_shard=3)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


@pytest.fixture
def made_set(tmp_path, rng):
    rows = [{"image": rng.integers(0, 256, [5, 5, 1]).astype(np.uint8), "label": i % 3} for i in range(40)]
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(5, 5, 1)), "label": tfds.features.ClassLabel(names=["a", "b", "c"])}
    )
    make(tmp_path / "tfds", "made_images", "1.0.0", features, {"train": rows[:30], "test": rows[30:]})
    return tmp_path / "tfds"


def test_a_set_of_tfds_becomes_shards(made_set, tmp_path):
    # A set of the user's own is found by its folder; a set of the catalogue by its name.
    made = ingest_tfds.ingest_tfds(
        "made_images", tmp_path / "shards", str(made_set), records_per_shard=8, report=lambda text: None
    )
    assert made.counts == {"train-labelled": 27, "validation-labelled": 3, "test-labelled": 10}
    assert made.class_names == ("a", "b", "c") and made.image_shape == (5, 5, 1)
    direct = load.load(load.Config(source="tfds", name="made_images", data_dir=str(made_set), labels_per_class=0))
    ours = load.load(load.Config(source="shards", path=str(tmp_path / "shards"), labels_per_class=1))
    np.testing.assert_array_equal(ours.test.image, direct.test.image)
    np.testing.assert_array_equal(ours.test.label, direct.test.label)
    spread = ingest_tfds.ingest_tfds(
        "made_images", tmp_path / "again", str(made_set), records_per_shard=8, report=lambda text: None,
        spread=reversed_map, resume=True,
    )  # fmt: skip
    assert spread == made


def test_an_unknown_set_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"has no set 'nothing_of_the_kind'"):
        ingest_tfds.ingest_tfds("nothing_of_the_kind", tmp_path / "shards")


def test_examples_of_a_pipeline_are_shards_again(photos, tmp_path):
    described = quietly(photos, tmp_path / "shards", records_per_shard=100)
    files = {}
    for shard in described.shards:
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / "shards" / shard.name))]
        path = tmp_path / "handed" / shard.name.replace(".tfrecord", ".gz")
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in reversed([_handed(record) for record in records]):
                writer.write(record)
        files[f"{shard.split}-{shard.stream}"] = [path]
    made = reshard.to_shards(files, tmp_path / "again", described)
    assert made.counts == described.counts
    ours, theirs = (load.load(load.Config(source="shards", path=str(tmp_path / name), labels_per_class=0))
                    for name in ("again", "shards"))  # fmt: skip
    assert _rows(ours.train) == _rows(theirs.train)
    assert ours.class_names == ("cat", "dog")
    assert reshard.to_shards(files, tmp_path / "again", described) == made


def _handed(record):
    """A record as Transform hands it over: −1 for no label, and features without values."""
    example = tf.train.Example.FromString(record)
    if "label" not in example.features.feature:
        example.features.feature["label"].int64_list.value.append(-1)
    example.features.feature["caption"].bytes_list.SetInParent()
    return example.SerializeToString()


def _rows(rows):
    return sorted((image.tobytes(), int(label)) for image, label in zip(rows.image, rows.label))


def test_a_file_that_is_no_example_is_named(photos, tmp_path):
    described = quietly(photos, tmp_path / "shards")
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"no record, but long enough to have a header"))
    with pytest.raises(ValueError, match=r"bad.gz is no TFRecord file"):
        reshard.to_shards({"train-labelled": [tmp_path / "bad.gz"]}, tmp_path / "again", described)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(ValueError, match=r"The examples should be {.*, there are {'train-labelled': 0}"):
        reshard.to_shards({"train-labelled": [tmp_path / "cut.gz"]}, tmp_path / "again", described)
    assert not (tmp_path / "again").exists()
