"""Faults in data: each is put into real files, and must be named, counted or refused before training starts."""

import io
import json
import os
import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from PIL import Image

from tfvae.data import ingest, manifest, records, reshard
from tfvae.data.entries import image
from tfvae.data.load import Config
from tfvae.data.sources import shards as source
from tfvae.serving import requests
from tfvae.storage import checked_json, tfrecord_format

SHAPE = (6, 6, 1)
SHARD = "train-labelled-00000-of-00001.tfrecord"
NUM_RECORDS = 16


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def noise_png(seed, shape=SHAPE[:2]):
    return png(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Shards of 16 labelled and 6 unlabelled training images, and 2 + 2 held out."""
    root = tmp_path_factory.mktemp("made")
    for i in range(20):
        path = root / "photos" / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise_png(i))
    (root / "photos" / "unlabelled").mkdir()
    for i in range(6):
        (root / "photos" / "unlabelled" / f"{i}.png").write_bytes(noise_png(100 + i))
    ingest.ingest(root / "photos", root / "shards", report=lambda text: None)
    return root / "shards"


@pytest.fixture
def shards(made, tmp_path):
    return shutil.copytree(made, tmp_path / "shards")


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *args: said.append(text % args))
    return said


def load(path, on_bad_record="stop", max_memory_bytes=1 << 30):
    return source.load(Config(path=str(path), max_memory_bytes=max_memory_bytes, on_bad_record=on_bad_record))


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def offsets(path):
    return [frame.offset for frame in tfrecord_format.frames(path)]


def rewrite(folder_of_shards, payloads, **fields):
    """Puts these records into the shard and describes them truthfully, as another program's shards would be."""
    path = folder_of_shards / SHARD
    with tf.io.TFRecordWriter(str(path)) as writer:
        for payload in payloads:
            writer.write(payload)
    described = checked_json.read(folder_of_shards / manifest.NAME)
    entry = next(shard for shard in described["shards"] if shard["name"] == SHARD)
    entry.update(vars(manifest.describe(path, len(payloads))))
    described["counts"]["train-labelled"] = len(payloads)
    checked_json.write(folder_of_shards / manifest.NAME, described | fields)


def promise(path, record, length):
    """Gives a record another length, with the right checksum of it."""
    content, start = bytearray(path.read_bytes()), offsets(path)[record]
    written = struct.pack("<Q", length)
    content[start : start + tfrecord_format.HEADER] = written + struct.pack("<I", tfrecord_format.masked_crc(written))
    path.write_bytes(content)


def describe_again(folder_of_shards, **fields):
    """A manifest made for a shard that is not what it was."""
    described = checked_json.read(folder_of_shards / manifest.NAME)
    entry = next(shard for shard in described["shards"] if shard["name"] == SHARD)
    entry.update(vars(manifest.describe(folder_of_shards / SHARD, entry["records"])) | fields)
    described["counts"]["train-labelled"] = entry["records"]
    checked_json.write(folder_of_shards / manifest.NAME, described)


# Fault 59: lengths that promise more than there is.

LENGTHS = {"2**40 bytes": 2**40, "2**63 bytes": 2**63, "all bits": 2**64 - 1, "one byte too many": 5000}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("record", [0, 7, NUM_RECORDS - 1])
@pytest.mark.parametrize("policy", ["stop", "quarantine"])
def test_a_record_that_promises_more_than_the_file_has_is_refused(shards, survives, length, record, policy):
    start = offsets(shards / SHARD)[record]
    promise(shards / SHARD, record, LENGTHS[length])
    describe_again(shards)
    with survives(f"59 a record of {length}"):
        if policy == "quarantine" and record == NUM_RECORDS - 1:
            assert len(load(shards, policy).train) == NUM_RECORDS - 1 + 6
        else:
            with pytest.raises(ValueError, match=f"record at byte {start}: the file ends inside the record"):
                load(shards, policy)


@pytest.mark.parametrize("record", [0, 7, NUM_RECORDS - 1])
def test_a_manifest_made_for_a_damaged_record_does_not_hide_it(shards, survives, record):
    flip(shards / SHARD, offsets(shards / SHARD)[record] + FLIPS["1 payload"])
    describe_again(shards)
    with survives("58 a manifest made for a damaged record"), pytest.raises(manifest.DamagedShards, match=SHARD):
        load(shards)


@pytest.mark.parametrize("records", [0, NUM_RECORDS - 1, NUM_RECORDS + 1, 10**12])
def test_a_manifest_that_promises_other_records_than_there_are_is_refused(shards, survives, records):
    describe_again(shards, records=records)
    with survives("59 a manifest of other counts"), pytest.raises(ValueError, match="records"):
        load(shards)


def test_other_files_of_records_are_asked_for_their_lengths_first(shards, tmp_path, survives):
    promise(shards / SHARD, 3, 2**40)
    with survives("59 warm-up"), pytest.raises(requests.WarmupError, match="longer than what is left"):
        requests.read_warmup(shards / SHARD)
    with survives("59 examples of a pipeline"), pytest.raises(ValueError, match="longer than what is left"):
        reshard._shard(tmp_path / "made", shards / SHARD)
    with survives("59 a stream"), pytest.raises(ValueError, match="longer than what is left"):
        records.stream([shards / SHARD], image.Image("image", SHAPE), 4, 0)


# Faults 1 to 5: bits that flipped.

FLIPS = {"1 payload": 12 + 30, "2 length": 1, "3 checksum of the length": 9, "4 checksum of the payload": -2}


@pytest.mark.parametrize("fault", FLIPS)
@pytest.mark.parametrize("record", [0, 7, NUM_RECORDS - 1])
def test_a_flipped_bit_is_named_by_shard_and_offset(shards, survives, fault, record):
    path = shards / SHARD
    starts = [*offsets(path), path.stat().st_size]
    flip(path, (starts[record + 1] if FLIPS[fault] < 0 else starts[record]) + FLIPS[fault])
    with survives(fault), pytest.raises(ValueError, match=f"{SHARD}, record at byte {starts[record]}: the") as error:
        load(shards)
    assert "1 of 16 records are bad" in str(error.value)
    assert "--config.data.on_bad_record=quarantine" in str(error.value)
    assert "run ingest again" in str(error.value)


@pytest.mark.parametrize("fault", FLIPS)
@pytest.mark.parametrize("record", [0, 7, NUM_RECORDS - 1])
def test_quarantine_loses_the_flipped_record_alone_and_says_so(shards, made, survives, warnings, fault, record):
    path = shards / SHARD
    starts = [*offsets(path), path.stat().st_size]
    flip(path, (starts[record + 1] if FLIPS[fault] < 0 else starts[record]) + FLIPS[fault])
    whole = load(made).train
    with survives("5 the rest of the shard is kept"):
        rest = load(shards, "quarantine").train
        np.testing.assert_array_equal(rest.image, np.delete(whole.image, record, axis=0))
        np.testing.assert_array_equal(rest.label, np.delete(whole.label, record))
        assert warnings == [f"Left out 1 of 16 records. The first: {SHARD}, record at byte {starts[record]}: "
                            + warnings[0].split(": ")[-1]]  # fmt: skip


def test_a_damaged_shard_is_not_streamed_but_read_record_by_record(shards, survives, warnings):
    name = "train-unlabelled-00000-of-00001.tfrecord"
    flip(shards / name, 50)
    with survives("5 the rest of the shard is kept"):
        loaded = load(shards, "quarantine", max_memory_bytes=100)
        assert not loaded.streamed.num
        assert (loaded.train.label == -1).sum() == 5
        assert "Left out 1 of 6" in warnings[0]


# Faults 6 to 10: files that are not what the manifest says.


def cut_at_a_record(path):
    os.truncate(path, offsets(path)[10])


def cut_in_a_record(path):
    os.truncate(path, offsets(path)[10] + 20)


def compress(path):
    with tf.io.TFRecordWriter(str(path.with_suffix(".gz")), "GZIP") as writer:
        for frame in list(tfrecord_format.frames(path)):
            writer.write(frame.payload)
    path.with_suffix(".gz").rename(path)


def compress_and_cut(path):
    compress(path)
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def exchange(path):
    payloads = [frame.payload for frame in tfrecord_format.frames(path)]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for payload in payloads[::-1]:
            writer.write(payload)


FILES = {
    "6 cut at a record": (cut_at_a_record, "holds 10 of its 16 records"),
    "6 cut in a record": (cut_in_a_record, "holds 11 of its 16 records.*the file ends inside the record"),
    "7 compressed and cut in half": (compress_and_cut, "compressed with gzip"),
    "8 empty": (empty, "is empty, it should hold 16"),
    "9 missing": (os.remove, "is missing"),
    "10 compressed": (compress, "compressed with gzip"),
    "10 other records": (exchange, "not those that were written"),
}


@pytest.mark.parametrize("policy", ["stop", "quarantine"])
@pytest.mark.parametrize("fault", FILES)
def test_a_file_that_lacks_records_is_refused_whatever_the_policy(shards, survives, fault, policy):
    damage, message = FILES[fault]
    damage(shards / SHARD)
    with survives(fault), pytest.raises(ValueError, match=message) as error:
        load(shards, policy)
    if "ends inside" not in message or policy == "quarantine":
        assert SHARD in str(error.value)


# Faults 22 to 24: records that are not as they must be, in files that are whole.

IMAGE = np.full(SHAPE, 9, np.uint8)


def example(**features):
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


RAW = tf.train.Feature(bytes_list=tf.train.BytesList(value=[IMAGE.tobytes()]))
SIZE = tf.train.Feature(int64_list=tf.train.Int64List(value=SHAPE))
LABEL = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
TEXT = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"cat"]))

RECORDS = {
    "22 no label": (records.serialise(IMAGE), "the feature `label` is missing"),
    "22 no image": (example(shape=SIZE, label=LABEL), "the feature `image` is missing"),
    "22 no shape": (example(image=RAW, label=LABEL), "`shape` must be"),
    "23 label is text": (example(image=RAW, shape=SIZE, label=TEXT), "`label` must be one integer"),
    "23 image is an integer": (example(image=LABEL, shape=SIZE, label=LABEL), "`image` must be one string"),
    "23 no example": (b"\xff\xff\xff", "it is no tf.Example"),
    "23 another size": (records.serialise(np.zeros((6, 7, 1), np.uint8), 1), "`shape` must be"),
    "23 too few bytes": (example(image=TEXT, shape=SIZE, label=LABEL), "its image has 3 bytes, 36 are right"),
    "24 label too large": (records.serialise(IMAGE, 2), "its label 2 is out of range, there are 2 classes"),
    "24 negative label": (records.serialise(IMAGE, -2), "its label -2 is out of range"),
}


@pytest.mark.parametrize("fault", RECORDS)
def test_a_record_against_the_schema_is_found_before_training(shards, survives, warnings, fault):
    record, message = RECORDS[fault]
    good = [records.serialise(IMAGE, label) for label in (0, 1, 0)]
    rewrite(shards, [*good[:2], record, good[2]])
    at = 2 * tfrecord_format.size(good[0])
    with survives(fault):
        with pytest.raises(ValueError, match=f"{SHARD}, record at byte {at}: {message}"):
            load(shards)
        kept = load(shards, "quarantine").train
        assert kept.label[kept.label >= 0].tolist() == [0, 1, 0]
        assert warnings[0].startswith("Left out 1 of 4 records.")


# Fault 32 for shards: a full disk.


def test_a_full_disk_is_a_clear_error_and_the_old_shards_survive(tmp_path, survives, fillable_disk):
    photos, output = tmp_path / "photos", tmp_path / "shards"
    photos.mkdir()
    for i in range(8):
        (photos / f"{i}.png").write_bytes(noise_png(i, (30, 30)))
    ingest.ingest(photos, output, report=lambda text: None)
    before = {file.name: file.read_bytes() for file in output.iterdir()}
    with survives("32 full disk"):
        with fillable_disk() as fill, pytest.raises(OSError, match=r"could not be written: File too large\. Make room"):
            fill(3000)
            ingest.ingest(photos, output, overwrite=True, report=lambda text: None)
        assert {file.name: file.read_bytes() for file in output.iterdir()} == before
        assert sorted(file.name for file in tmp_path.iterdir()) == ["photos", "shards"]


# Fault 50: names and links that lead out of the folder.


@pytest.mark.parametrize("name", ["../photos/secret.tfrecord", "/etc/passwd", f"../{SHARD}", "sub/" + SHARD, 7])
def test_a_manifest_cannot_name_files_outside(shards, survives, name):
    described = checked_json.read(shards / manifest.NAME)
    described["shards"][0]["name"] = name
    checked_json.write(shards / manifest.NAME, described)
    with survives("50 path traversal in a manifest"), pytest.raises(ValueError, match="no shard of this folder"):
        load(shards)


def test_a_shard_that_links_out_of_the_folder_is_refused(shards, tmp_path, survives):
    (shards / SHARD).rename(tmp_path / "elsewhere")
    (shards / SHARD).symlink_to(tmp_path / "elsewhere")
    with survives("50 shard is a link"), pytest.raises(ValueError, match="symbolic link that leads out"):
        load(shards)


MANIFESTS = {
    "not JSON": (lambda text: text[:100], "is not JSON"),
    "another format": (lambda text: text.replace("tfvae shards 1", "tfvae shards 9"), "must have the format"),
    "a missing field": (
        lambda text: json.dumps({name: of for name, of in json.loads(text).items() if name != "image_shape"}),
        "lacks a field",
    ),
    "a wrong count": (lambda text: text.replace('"records": 16', '"records": 15'), "add up to"),
    "a count that is text": (lambda text: text.replace('"records": 16', '"records": "16"'), "no count"),
    "an unknown field": (lambda text: text.replace('"captions"', '"caption"'), r"unknown fields \['caption'\]"),
    "an unknown field of a shard": (lambda text: text.replace('"sha256"', '"sha1"'), "wrong type"),
}


@pytest.mark.parametrize("fault", MANIFESTS)
def test_a_manifest_that_is_not_one_says_what_is_wrong(shards, survives, fault):
    change, message = MANIFESTS[fault]
    path = shards / manifest.NAME
    path.write_text(json.dumps(checked_json.read(path), indent=1))  # As older versions wrote it, without a checksum.
    path.write_text(change(path.read_text()))
    with survives(f"manifest: {fault}"), pytest.raises(ValueError, match=message) as error:
        load(shards)
    assert "un ingest again" in str(error.value)


def test_a_folder_without_a_manifest_is_no_folder_of_shards(tmp_path):
    with pytest.raises(ValueError, match="give a folder that `ingest` wrote"):
        load(tmp_path)
