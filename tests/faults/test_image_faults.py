"""Faults in a folder of images: bad files, bad captions, names that lead out. Each is counted, none ends the run."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from tfvae.data import folder, ingest, records
from tfvae.data.entries import caption as captions
from tfvae.data.entries import image as images
from tfvae.data.entries.label import Label
from tfvae.storage import tfrecord_format

SHAPE = (6, 6, 1)


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def noise_png(seed, shape=SHAPE[:2]):
    return png(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


# Faults 12 to 18: files that are no images, or too large.


def truncated(format_name):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(out, format=format_name)
    return out.getvalue()[: len(out.getvalue()) // 2]


def tiff():
    out = io.BytesIO()
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(out, format="TIFF")
    return out.getvalue()


def bomb(side, rows=None):
    """A PNG of side x side black pixels, or at least its first rows, without ever holding them."""
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(1 + side) * 100) for _ in range((rows or side) // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bad_checksum():
    content = bytearray(noise_png(0))
    content[45] ^= 1
    return bytes(content)


IMAGES = {
    "12 empty": (lambda: b"", "empty file"),
    "13 text": (lambda: b"This is no image.\n", "text, not a PNG"),
    "14 truncated PNG": (lambda: truncated("PNG"), "truncated image"),
    "15 truncated JPEG": (lambda: truncated("JPEG"), "truncated image"),
    "16 TIFF": (tiff, "a TIFF, not a PNG"),
    "17 bomb of 15,000 x 15,000": (lambda: bomb(15_000), "15000 x 15000 pixels, more than the limit of 50,000,000"),
    "18 bomb of 30,000 x 30,000": (lambda: bomb(30_000, rows=100), "30000 x 30000 pixels, more than the limit"),
    "14 PNG with a flipped bit": (bad_checksum, "damaged image"),
    "13 noise": (lambda: bytes(range(256)) * 4, "unknown content"),
}


@pytest.mark.parametrize("fault", IMAGES)
def test_a_file_that_is_no_image_is_left_out_and_counted(tmp_path, survives, monkeypatch, fault):
    write, reason = IMAGES[fault]
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        (photos / f"{i}.png").write_bytes(noise_png(i))
    (photos / "bad.png").write_bytes(write())
    if "bomb" in fault:
        decode = PngImagePlugin.PngImageFile.load

        def load_small(image):
            assert image.width * image.height < 1000, "a bomb was decoded"
            return decode(image)

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load_small)
    with survives(fault):
        described = ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
        assert sum(described.counts.values()) == 3
        assert [file for file, _ in described.rejects] == ["bad.png"]
        assert reason in described.rejects[0][1]


def test_a_fifo_does_not_hang_and_a_lone_bad_file_is_an_error_with_its_reason(tmp_path, survives):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "notes.txt").write_text("hello")
    with (
        survives("13 nothing but bad files"),
        pytest.raises(ValueError, match=r"no usable image\. 2 files were rejected"),
    ):
        folder.survey(tmp_path)


def test_an_empty_folder_says_what_to_put_there(tmp_path, survives):
    with survives("12 empty folder"), pytest.raises(ValueError, match="It is empty: put images there"):
        folder.survey(tmp_path)


# Faults 19 to 21: captions.

CAPTIONS = {
    "19 invalid UTF-8": (b"a \xff\xfe dog", "a \ufffd\ufffd dog", "caption repaired"),
    "20 empty": (b"   ", None, "caption empty"),
    "21 of 400 kB": (b"dog " * 100_000, "dog " * 1024, "caption cut"),
}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("fault", CAPTIONS)
def test_a_bad_caption_is_repaired_dropped_or_cut_and_counted(tmp_path, survives, fault, suffix):
    caption, stored, repair = CAPTIONS[fault]
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(noise_png(0))
    table = b"file_name,caption\na.png," + caption + b"\n"
    if suffix == "jsonl":
        table = b'{"file_name": "a.png", "caption": "' + caption + b'"}\n'
    (photos / f"metadata.{suffix}").write_bytes(table)
    with survives(fault):
        described = ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
        assert described.repairs == {repair: 1}
        assert described.captions == (0 if stored is None else 1)
        file = tmp_path / "shards" / described.shards[0].name
        payloads = tf.constant([frame.payload for frame in tfrecord_format.frames(file)])
        written = records.parse(payloads, [captions.ENTRY])["caption"].to_list()
        assert [text.decode() for text in written[0]] == ([] if stored is None else [stored])


def test_a_png_that_claims_another_size_is_refused_by_its_header(survives):
    shape = (80, 80, 3)
    good = records.serialise(np.zeros(shape, np.uint8), 0)
    lying = tf.train.Example.FromString(good)
    lying.features.feature["image"].bytes_list.value[0] = bomb(15_000, rows=100)
    lying = lying.SerializeToString()
    with survives("17 bomb in a shard"):
        assert "another size" in records.problem(lying, [images.Image(shape=shape), Label(1)], ("image", "label"))
        with pytest.raises(tf.errors.InvalidArgumentError):
            records.parse(tf.constant([good, lying]), [images.Image(shape=shape)])


# Fault 50: names and links that lead out of the folder.


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png"])
def test_metadata_cannot_name_files_outside(tmp_path, survives, name):
    photos = tmp_path / "photos"
    photos.mkdir()
    (tmp_path / "secret.png").write_bytes(noise_png(0))
    (photos / "a.png").write_bytes(noise_png(1))
    (photos / "metadata.csv").write_text(f"file_name,label\n{name},cat\n")
    with survives("50 path traversal in metadata"):
        found = folder.survey(photos)
        assert [item.file for item in found.items] == ["a.png"]
        assert "names a file outside of the folder" in found.rejects[0].reason


def test_links_out_of_the_folder_are_refused(tmp_path, survives):
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    photos.mkdir()
    outside.mkdir()
    for path in (outside / "secret.png", photos / "a.png"):
        path.write_bytes(noise_png(0))
    (photos / "file.png").symlink_to(outside / "secret.png")
    (photos / "class").symlink_to(outside)
    (photos / "metadata.csv").symlink_to(outside / "secret.png")
    (photos / "inside.png").symlink_to("a.png")
    with survives("50 symbolic link out of the folder"):
        found = folder.survey(photos)
        assert [item.file for item in found.items] == ["a.png", "inside.png"]
        assert {reject.file for reject in found.rejects} == {"file.png", "class", "metadata.csv"}
