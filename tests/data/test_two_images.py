"""Examples of two images of different shapes: how folders say so, shards keep them, and batches carry them."""

import collections
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfvae.data import folder, ingest, load, manifest, records, transforms
from tfvae.data.sources import shards as shards_source
from tfvae.storage import checked_json

LEFT, RIGHT = (6, 4), (5, 7)


def draw(path, shape, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)


@pytest.fixture
def beside(tmp_path):
    """20 pairs in folders beside each other with the same file names, 3 more left images, 2 more right ones."""
    root = tmp_path / "photos"
    for i in range(23):
        draw(root / "image" / f"{i:02}.png", LEFT, i)
    for i in (*range(20), 98, 99):
        draw(root / "image_b" / f"{i:02}.png", RIGHT, 100 + i)
    return root


@pytest.fixture
def shards(beside, tmp_path):
    ingest.ingest(beside, tmp_path / "shards", report=lambda text: None)
    return tmp_path / "shards"


def config(path, source="shards", **fields):
    fields = {"labelled_batch": 0, "unlabelled_batch": 2, "batches": {"paired": 3, "image_b": 4}, **fields}
    flat = transforms.Config(noise="binarise")
    square = {"image_b": transforms.Config(flatten=False)}
    return load.Config(source=source, path=str(path), num_validation=4, transform=flat, transforms=square, **fields)


def batches(data, num, start=0):
    return [tf.nest.map_structure(np.asarray, batch) for batch in data.training_batches(7, start).take(num)]


def counted(found):
    return collections.Counter((tuple(item.files), item.split) for item in found.items)


# What a folder says.


def test_folders_beside_each_other_are_two_modalities(beside):
    found = folder.survey(beside)
    assert found.shapes == {"image": (*LEFT, 1), "image_b": (*RIGHT, 1)} and found.class_names == ()
    both = ("image", "image_b")
    assert counted(found) == {(both, "train"): 16, (both, "validation"): 2, (both, "test"): 2, (("image",), "train"): 3,
                              (("image_b",), "train"): 2}  # fmt: skip
    text = found.summary()
    assert "image: 23, images are 4 x 6" in text and "with all of their images: 20" in text


def test_folders_of_classes_lie_in_those_of_modalities(tmp_path):
    for i in range(4):
        for modality, shape in (("image", LEFT), ("image_depth", RIGHT)):
            draw(tmp_path / "train" / modality / "ab"[i % 2] / f"{i}.png", shape, i)
    found = folder.survey(tmp_path)
    assert found.class_names == ("a", "b") and len(found.items) == 4
    assert {tuple(item.files) for item in found.items} == {("image", "image_depth")}


@pytest.mark.parametrize("header", ["file_name,pair", "image,image_b", "file_name,image_b"])
def test_a_table_pairs_files_wherever_they_lie(tmp_path, header):
    for i in range(3):
        draw(tmp_path / "l" / f"{i}.png", LEFT, i)
        draw(tmp_path / "r" / f"{i}.png", RIGHT, i)
    rows = [f"l/{i}.png,r/{2 - i}.png" for i in range(2)] + ["l/2.png,"]
    (tmp_path / "metadata.csv").write_text("\n".join([f"{header},split", *(f"{row},train" for row in rows)]))
    found = [item.files for item in folder.survey(tmp_path, folder.Config(image_size=4)).items]
    assert {"image": "l/0.png", "image_b": "r/2.png"} in found and {"image": "l/1.png", "image_b": "r/1.png"} in found
    assert {"image": "l/2.png"} in found and {"image": "r/0.png"} in found


def test_a_pair_that_both_of_its_files_name_is_one(tmp_path):
    draw(tmp_path / "a.png", LEFT, 0)
    draw(tmp_path / "b.png", LEFT, 1)
    (tmp_path / "metadata.csv").write_text("file_name,pair\na.png,b.png\nb.png,a.png\n")
    assert len(folder.survey(tmp_path).items) == 1


def test_a_pair_of_three_files_is_refused(tmp_path):
    for name in "abc":
        draw(tmp_path / f"{name}.png", LEFT, 0)
    (tmp_path / "metadata.csv").write_text("file_name,pair\na.png,b.png\nb.png,c.png\n")
    with pytest.raises(ValueError, match=r"b\.png belongs to two examples.*a pair names two files"):
        folder.survey(tmp_path)


def test_two_partners_of_one_file_contradict_each_other(tmp_path):
    for name in "abc":
        draw(tmp_path / f"{name}.png", LEFT, 0)
    (tmp_path / "metadata.csv").write_text("file_name,pair\na.png,b.png\na.png,c.png\n")
    found = folder.survey(tmp_path)
    assert ["two rows pair it with 'b.png' and 'c.png'" in reject.reason for reject in found.rejects] == [True]


def test_a_partner_that_is_missing_is_counted_and_the_other_stays(tmp_path):
    draw(tmp_path / "a.png", LEFT, 0)
    draw(tmp_path / "b.png", LEFT, 1)
    draw(tmp_path / "c.png", RIGHT, 1)
    (tmp_path / "metadata.csv").write_text("file_name,pair\na.png,gone.png\nb.png,c.png\n")
    found = folder.survey(tmp_path)
    assert [reject.file for reject in found.rejects] == ["gone.png"]
    assert sorted(tuple(item.files) for item in found.items) == [("image",), ("image", "image_b")]


def test_an_image_without_partner_is_not_held_out(tmp_path):
    for i in range(2):
        draw(tmp_path / "test" / "image" / f"{i}.png", LEFT, i)
    draw(tmp_path / "test" / "image_b" / "0.png", RIGHT, 0)
    found = folder.survey(tmp_path)
    assert [(reject.file, "without its other image" in reject.reason) for reject in found.rejects] == [
        ("test/image/1.png", True)
    ]


def test_sizes_are_compared_within_a_modality(beside):
    draw(beside / "image_b" / "00.png", LEFT, 0)
    with pytest.raises(ValueError, match=r"images of `image_b` have 2 sizes.*in the place of each other"):
        folder.survey(beside)


def test_file_names_that_differ_in_their_suffix_alone_are_refused(beside):
    draw(beside / "image" / "00.bmp", LEFT, 0)
    with pytest.raises(ValueError, match="differ in their suffix alone"):
        folder.survey(beside)


def test_class_folders_with_the_same_file_names_are_no_pairs(tmp_path):
    for name in ("cat", "dog"):
        draw(tmp_path / name / "0.png", LEFT, 0)
    assert folder.survey(tmp_path).class_names == ("cat", "dog")


# Shards.


def test_shards_say_which_stream_and_which_shapes(shards):
    described = manifest.read(shards)
    assert described.counts == {
        "train-paired": 16, "train-unlabelled": 3, "train-image_b": 2, "validation-paired": 2, "test-paired": 2,
    }  # fmt: skip
    assert described.modalities == {"image": (*LEFT, 1), "image_b": (*RIGHT, 1)}


def test_shards_hold_what_the_folder_holds(beside, shards):
    of_folder, of_shards = load.load(config(beside, "folder")), load.load(config(shards))
    for data in (of_folder, of_shards):
        assert len(data.further["paired"]) + len(data.validation) == 18
        assert data.info.modalities == {"image": (24,), "image_b": (*RIGHT, 1)}
    pairs = [
        sorted((a.tobytes(), b.tobytes()) for a, b in zip(data.test["image"], data.test["image_b"]))
        for data in (of_folder, of_shards)
    ]
    assert pairs[0] == pairs[1] and len(pairs[0]) == 2


def test_a_record_of_a_pair_without_its_second_image_is_found(beside, shards):
    path = shards / "train-paired-00000-of-00001.tfrecord"
    payloads = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    payloads[3] = records.serialise(np.zeros((*LEFT, 1), np.uint8))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for payload in payloads:
            writer.write(payload)
    described = checked_json.read(shards / manifest.NAME)
    entry = next(shard for shard in described["shards"] if shard["name"] == path.name)
    entry.update(vars(manifest.describe(path, len(payloads))))
    checked_json.write(shards / manifest.NAME, described)
    with pytest.raises(ValueError, match="the feature `image_b` is missing"):
        shards_source.load(config(shards))
    kept = shards_source.load(load.Config(source="shards", path=str(shards), on_bad_record="quarantine"))
    assert int(kept.train.has("image", "image_b").sum()) == 15


# Batches.


def test_a_batch_has_the_streams_with_their_own_shapes(shards):
    (batch,) = batches(load.load(config(shards)), 1)
    assert {stream: {name: value.shape for name, value in rows.items()} for stream, rows in batch.items()} == {
        "paired": {"image": (3, 24), "image_b": (3, *RIGHT, 1)},
        "unlabelled": {"image": (2, 24)},
        "image_b": {"image_b": (4, *RIGHT, 1)},
    }
    assert set(np.unique(batch["paired"]["image"])) == {0.0, 1.0} and len(np.unique(batch["image_b"]["image_b"])) > 9


def test_images_of_a_pair_stay_together(shards):
    data = load.load(config(shards))
    rows = data.further["paired"]
    seconds = np.round(255 * data.observe(rows, name="image_b")).astype(np.uint8)
    partner = dict(zip(map(bytes, seconds), data.observe(rows)))
    assert len(partner) == len(rows)
    for batch in batches(data, 5):
        for x, y in zip(batch["paired"]["image"], batch["paired"]["image_b"]):
            expected = partner[np.round(y * 255).astype(np.uint8).tobytes()]
            # Binarised: 1 is impossible where the intensity is 0, and 0 where it is 1.
            assert ((x == 1.0) <= (expected > 0)).all() and ((x == 0.0) <= (expected < 1)).all()


def test_pairs_are_among_those_alone_unless_told_otherwise(shards):
    both, apart = (load.load(config(shards, labelled_stay_unlabelled=stay)) for stay in (True, False))
    assert len(both.unlabelled) == len(both.further["paired"]) + 3 and len(apart.unlabelled) == 3
    assert len(both.further["image_b"]) == len(both.further["paired"]) + 2 and len(apart.further["image_b"]) == 2


@pytest.mark.parametrize("limit", [1 << 30, 300])
def test_a_stream_of_pairs_goes_on_where_it_was_stopped(shards, limit):
    data = load.load(config(shards, max_memory_bytes=limit))
    assert data.train.stored == (limit == 300)
    whole, rest = batches(data, 9), batches(data, 3, start=6)
    for expected, got in zip(tf.nest.flatten(whole[6:]), tf.nest.flatten(rest), strict=True):
        np.testing.assert_array_equal(expected, got)


def test_pairs_in_files_give_the_batches_of_pairs_in_memory(shards):
    first, second = (batches(load.load(config(shards, max_memory_bytes=limit)), 4) for limit in (1 << 30, 300))
    for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_validation_batches_hold_pairs(shards):
    data = load.load(config(shards))
    (batch,) = data.evaluation_batches(data.validation)
    assert set(batch) == {"paired"} and set(batch["paired"]) == {"image", "image_b"}


def test_a_frozen_split_keeps_both_transforms(shards):
    data = load.load(config(shards))
    frozen = json.loads(json.dumps(data.split))
    assert set(frozen["transforms"]) == {"image_b"} and load.load(config(shards), frozen).split == frozen
    altered = {**frozen, "paired": frozen["paired"][1:]}
    with pytest.raises(ValueError, match="altered"):
        load.load(config(shards), altered)


def test_streams_that_the_data_does_not_have_are_told():
    with pytest.raises(ValueError, match=r"names the stream 'paired'; with the images \['image'\] there are"):
        load.load(load.Config(batches={"paired": 3}))


def test_replicas_share_batches_of_pairs(shards):
    data = load.load(config(shards, unlabelled_batch=4, batches={"paired": 4}))
    (whole,) = batches(data, 1)
    parts = [tf.nest.map_structure(np.asarray, part) for part in data.training_batches(7, num_replicas=2).take(2)]
    for stream, rows in whole.items():
        for name, value in rows.items():
            np.testing.assert_array_equal(np.concatenate([part[stream][name] for part in parts]), value)


def test_a_labelled_stream_may_carry_the_second_image(tmp_path):
    for i in range(12):
        for name, shape in (("image", LEFT), ("image_b", RIGHT)):
            draw(tmp_path / "photos" / name / "ab"[i % 2] / f"{i}.png", shape, i)
    fields = {"labelled_batch": 4, "unlabelled_batch": 0, "labels_per_class": 0, "batches": {}, "entries": ("image_b",)}
    data = load.load(config(tmp_path / "photos", "folder", **fields))
    (batch,) = batches(data, 1)
    assert {name: value.shape for name, value in batch["labelled"].items()} == {
        "image": (4, 24), "label": (4,), "image_b": (4, *RIGHT, 1),
    }  # fmt: skip
