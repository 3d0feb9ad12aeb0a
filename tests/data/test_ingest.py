"""A folder as users keep it becomes rows and shards: what is found, what is refused, nothing is half written."""

import collections
import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tfvae.data import folder, images, ingest, load, manifest
from tfvae.data.entries import caption as captions
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.sources import folder as folder_source
from tfvae.data.sources import shards as shards_source


def draw(path, shape=(6, 6), seed=0, colour=False):
    """An image file at a path; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3) if colour else shape, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def photos(tmp_path):
    """Ten cats, ten dogs, seven unlabelled images, all 6 x 6 and gray."""
    root = tmp_path / "photos"
    for i in range(10):
        draw(root / "cat" / f"{i}.png", seed=i)
        draw(root / "dog" / f"{i}.png", seed=100 + i)
    for i in range(7):
        draw(root / "unlabelled" / f"{i}.png", seed=200 + i)
    return root


@pytest.fixture
def quietly():
    """`ingest.ingest` without its printing."""
    return lambda *args, **kwargs: ingest.ingest(*args, report=lambda text: None, **kwargs)


def settings(path, **fields):
    return load.Config(path=str(path), **fields)


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


# What a folder says.


def test_folders_give_labels_and_unlabelled_images(photos):
    found = folder.survey(photos)
    counts = collections.Counter((item.label, item.split) for item in found.items)
    assert found.class_names == ("cat", "dog")
    assert found.image_shape == (6, 6, 1)
    assert counts == {(0, "train"): 8, (0, "validation"): 1, (0, "test"): 1, (1, "train"): 8, (1, "validation"): 1,
                      (1, "test"): 1, (NO_LABEL, "train"): 7}  # fmt: skip
    assert not found.rejects


def test_the_draw_of_splits_repeats_and_depends_on_the_seed(photos):
    first, again, other = (folder.survey(photos, folder.Config(test_fraction=0.5, seed=seed)) for seed in (0, 0, 1))
    assert first.items == again.items
    assert first.items != other.items


def test_the_smallest_class_keeps_an_image_to_train_on(tmp_path):
    for i in range(3):
        draw(tmp_path / "rare" / f"{i}.png", seed=i)
    for i in range(2):
        draw(tmp_path / "rarest" / f"{i}.png", seed=i)
    counts = collections.Counter((item.label, item.split) for item in folder.survey(tmp_path).items)
    assert counts == {(0, "train"): 1, (0, "validation"): 1, (0, "test"): 1, (1, "train"): 2}


def test_split_folders_are_splits_not_classes(tmp_path):
    for split in ("train", "val", "test"):
        draw(tmp_path / split / "cat" / "a.png")
        draw(tmp_path / split / "dog" / "a.png")
    found = folder.survey(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert sorted((item.file.split("/")[0], item.split) for item in found.items) == [
        ("test", "test"), ("test", "test"), ("train", "train"), ("train", "train"),
        ("val", "validation"), ("val", "validation"),
    ]  # fmt: skip


def test_class_names_that_are_numbers_are_sorted_as_numbers(tmp_path):
    for label in ("10", "9", "1"):
        draw(tmp_path / label / "a.png")
    assert folder.survey(tmp_path).class_names == ("1", "9", "10")


def test_an_empty_label_in_metadata_is_none_whatever_the_folder_is_called(photos):
    (photos / "metadata.csv").write_text("file_name,label\ncat/0.png,dog\ncat/1.png,\n")
    found = folder.survey(photos)
    labels = {item.file: item.label for item in found.items}
    assert labels["cat/1.png"] == NO_LABEL
    assert found.class_names[labels["cat/0.png"]] == "dog"


def test_metadata_goes_before_folders(photos):
    names = "file_name,label,split,caption,tags,pair\n"
    rows = "cat/0.png,dog,test,a dog,small;brown,cat/1.png\ncat/0.png,,,another,,\n"
    (photos / "metadata.csv").write_text(names + rows)
    found = folder.survey(photos)
    item = next(item for item in found.items if item.file == "cat/0.png")
    values = {"label": 1, "caption": ("a dog", "another"), "tags": ("small", "brown")}
    assert item == folder.Item({"image": "cat/0.png", "image_b": "cat/1.png"}, "test", values)
    assert sum(item.split == "test" for item in found.items) == 1, "the user names the test images, so none is drawn"


def test_jsonl_metadata_with_lists_and_numbers_as_labels(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        draw(tmp_path / name)
    rows = [
        {"file_name": "a.png", "label": 7, "caption": ["one", "two"], "tags": ["x"]},
        {"file_name": "b.png", "label": 12},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    found = folder.survey(tmp_path)
    assert found.class_names == ("7", "12")
    assert {item.file: item.values for item in found.items} == {
        "a.png": {"label": 0, "caption": ("one", "two"), "tags": ("x",)}, "b.png": {"label": 1}, "c.png": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metadata.csv", "file,label\n0.png,cat\n", "no `file_name`"),
        ("metadata.csv", "file_name,split\ncat/0.png,holdout\n", "line 2: `split` must be train, validation or test"),
        ("metadata.csv", "file_name,label\n,cat\n", "`file_name` is empty"),
        ("metadata.jsonl", '{"file_name": "cat/0.png"\n', "line 1: not JSON"),
        ("metadata.jsonl", '["cat/0.png"]\n', "an object with a string `file_name`"),
        ("metadata.jsonl", '{"file_name": "cat/0.png", "label": ["a", "b"]}\n', "`label` must be one value"),
        ("metadata.jsonl", '{"file_name": "cat/0.png", "caption": 3}\n', "`caption` must be text"),
    ],
)
def test_metadata_that_cannot_be_read_says_where(photos, name, text, message):
    (photos / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        folder.survey(photos)


def test_rows_without_a_file_and_contradicting_rows_are_rejected(photos):
    (photos / "metadata.csv").write_text("file_name,label\nnowhere.png,cat\ncat/0.png,cat\ncat/0.png,dog\n")
    found = folder.survey(photos)
    reasons = {reject.file: reject.reason for reject in found.rejects}
    assert "no such file" in reasons["nowhere.png"]
    assert "'cat' and 'dog'" in reasons["cat/0.png"]


def test_a_test_image_without_a_label_is_rejected_where_there_are_labels(photos):
    (photos / "metadata.csv").write_text("file_name,split\nunlabelled/0.png,test\ncat/0.png,test\n")
    found = folder.survey(photos)
    assert [reject.file for reject in found.rejects] == ["unlabelled/0.png"]


# What becomes of pixels.


def test_images_are_resized_and_cut_from_the_centre(tmp_path):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png", image_size=10)
    assert image.shape == (10, 10, 3)
    np.testing.assert_allclose(image[:, 2:8], 200, atol=1)


def test_mixed_sizes_need_a_size_and_the_error_lists_them(photos):
    draw(photos / "cat" / "large.png", (30, 20))
    with pytest.raises(ValueError, match=r"6 x 6 \(27 images\), 20 x 30 \(1 images\).*--image_size=6") as error:
        folder.survey(photos)
    assert "--config.data.image_size=6" in str(error.value)
    assert folder.survey(photos, folder.Config(image_size=5)).image_shape == (5, 5, 1)


def test_gray_is_found_in_the_pixels_not_in_the_mode(tmp_path):
    pixels = draw(tmp_path / "a.png")
    Image.fromarray(pixels).convert("RGB").save(tmp_path / "b.png")
    assert folder.survey(tmp_path).image_shape == (6, 6, 1)
    np.testing.assert_array_equal(images.read(tmp_path / "b.png", gray=True)[..., 0], pixels)
    draw(tmp_path / "c.png", colour=True)
    assert folder.survey(tmp_path).image_shape == (6, 6, 3)
    assert folder.survey(tmp_path, folder.Config(color_mode="gray")).image_shape == (6, 6, 1)


def test_sixteen_bits_keep_their_upper_eight_and_transparency_lies_on_white(tmp_path):
    levels = np.array([[0, 255, 256, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(images.read(tmp_path / "deep.png", gray=True)[..., 0], [[0, 0, 1, 255]])
    Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8)).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(images.read(tmp_path / "clear.png", gray=True)[..., 0], [[255, 9]])


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((4, 9), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert images.check(tmp_path / "a.jpg").size == (9, 4)
    assert images.read(tmp_path / "a.jpg").shape == (9, 4, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
def test_four_formats_are_read(tmp_path, suffix):
    Image.fromarray(np.full((6, 6), 77, np.uint8)).save(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(
        folder.survey(tmp_path).pixels(folder.Item({"image": f"a.{suffix}"}, "train", {})), 77, atol=1
    )


# Shards.


def test_shards_hold_what_the_folder_holds(photos, tmp_path, quietly):
    made = quietly(photos, tmp_path / "shards", records_per_shard=5)
    found = folder.survey(photos)
    assert made.counts == {"train-labelled": 16, "train-unlabelled": 7, "validation-labelled": 2, "test-labelled": 2}
    assert made.class_counts["cat"] == {"train": 8, "validation": 1, "test": 1}
    assert [shard.name for shard in made.of("train", "unlabelled")] == [
        "train-unlabelled-00000-of-00002.tfrecord", "train-unlabelled-00001-of-00002.tfrecord",
    ]  # fmt: skip
    source = shards_source.load(settings(tmp_path / "shards"))
    for split, rows in (("train", source.train), ("validation", source.validation), ("test", source.test)):
        stacked = folder.stack(found, [item for item in found.items if item.split == split])
        expected = sorted((int(y), x.tobytes()) for x, y in zip(stacked.image, stacked.label, strict=True))
        assert sorted((int(y), x.tobytes()) for x, y in zip(rows.image, rows.label, strict=True)) == expected


def test_the_same_folder_gives_the_same_bytes(photos, tmp_path, quietly):
    quietly(photos, tmp_path / "a")
    quietly(photos, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_manifest_comes_back_as_it_was_written(photos, tmp_path, quietly):
    (photos / "notes.txt").write_text("hello")
    made = quietly(photos, tmp_path / "shards")
    assert manifest.read(tmp_path / "shards") == made
    assert made.rejects == (("notes.txt", "text, not a PNG, JPEG, BMP, GIF or WebP image"),)


def test_large_images_are_stored_as_png(tmp_path, quietly):
    for i in range(4):
        draw(tmp_path / "photos" / f"{i}.png", (90, 80), seed=i, colour=True)
    made = quietly(tmp_path / "photos", tmp_path / "shards")
    source = shards_source.load(settings(tmp_path / "shards"))
    assert made.storage == "png"
    assert source.train.image.shape == (2, 90, 80, 3)
    assert source.class_names == ()


def test_unlabelled_shards_beyond_the_memory_limit_are_streamed(photos, tmp_path, quietly):
    quietly(photos, tmp_path / "shards", records_per_shard=4)
    source = shards_source.load(settings(tmp_path / "shards", max_memory_bytes=100))
    assert len(source.train) == 16
    assert (source.train.label != NO_LABEL).all()
    assert source.streamed.num == 7
    assert all(os.path.exists(file) for file in source.streamed.files)


def test_the_report_counts_classes_and_rejects(photos, tmp_path, capsys):
    (photos / "cat" / "empty.png").touch()
    ingest.ingest(photos, tmp_path / "shards")
    printed = capsys.readouterr().out
    assert ["cat", "8", "1", "1"] in [line.split() for line in printed.splitlines()]
    assert "rejected: 1\n  cat/empty.png: empty file" in printed


def test_output_that_is_there_is_kept_unless_told(photos, tmp_path, quietly):
    quietly(photos, tmp_path / "shards")
    with pytest.raises(ValueError, match="--overwrite"):
        quietly(photos, tmp_path / "shards")
    draw(photos / "cat" / "new.png")
    made = quietly(photos, tmp_path / "shards", overwrite=True, records_per_shard=6)
    assert set(contents(tmp_path / "shards")) == {"manifest.json", *(shard.name for shard in made.shards)}
    assert sum(made.counts.values()) == 28
    assert sorted(file.name for file in tmp_path.iterdir()) == ["photos", "shards"]


def test_overwriting_never_takes_files_of_others(photos, tmp_path, quietly):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match=r"thesis\.tex"):
        quietly(photos, tmp_path / "home", overwrite=True)
    with pytest.raises(ValueError, match="outside of it"):
        quietly(photos, photos / "shards", overwrite=True)


@pytest.mark.parametrize(
    ("other", "told"),
    [("metadata.csv", "changed while the folder was read"), ("dog/gone.png", "gone.png: No such file")],
)
def test_a_failure_on_the_way_leaves_what_was_there(photos, tmp_path, quietly, monkeypatch, other, told):
    quietly(photos, tmp_path / "shards")
    (photos / "metadata.csv").write_text("file_name,label\n")
    before = contents(tmp_path / "shards")
    read = images.read
    monkeypatch.setattr(images, "read", lambda path, *rest: read(photos / other if "dog" in str(path) else path, *rest))
    with pytest.raises((ValueError, OSError), match=told):
        quietly(photos, tmp_path / "shards", overwrite=True)
    assert contents(tmp_path / "shards") == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["photos", "shards"]


def test_memory_does_not_grow_with_the_folder(tmp_path, quietly):
    for i in range(60):
        draw(tmp_path / "photos" / f"{i}.bmp", (150, 150), seed=i, colour=True)
    tracemalloc.start()
    try:
        quietly(tmp_path / "photos", tmp_path / "shards")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 15 * 150 * 150 * 3, f"{peak} bytes at the peak, the images have {60 * 150 * 150 * 3}"


# The source `folder`.


def test_a_folder_is_a_source(photos):
    source = folder_source.load(settings(photos))
    assert len(source.train) == 25
    assert source.validation is None
    assert sorted(source.test.label) == [0, 1]
    assert source.train.image.shape[1:] == (6, 6, 1)
    assert source.digest() == folder_source.load(settings(photos)).digest()


def test_a_folder_that_exceeds_memory_is_sent_to_ingest(photos):
    with pytest.raises(ValueError, match="Run ingest"):
        folder_source.load(settings(photos, max_memory_bytes=100))


@pytest.mark.parametrize("source", [folder_source, shards_source])
def test_a_source_without_a_path_says_which_field(source):
    with pytest.raises(ValueError, match=r"`data\.path`"):
        source.load(settings(""))


@pytest.mark.parametrize(
    "fields",
    [
        {"image_size": -1},
        {"color_mode": "sepia"},
        {"max_pixels": 0},
        {"test_fraction": 0.6, "validation_fraction": 0.4},
    ],
)
def test_impossible_settings_are_refused(photos, fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        folder.survey(photos, folder.Config(**fields))


# Captions.


@pytest.mark.parametrize(
    ("caption", "stored", "repair"),
    [
        (" a dog ", "a dog", None),
        ("cut \ud83d here", "cut \ufffd here", "caption repaired"),
        (" \n", None, "caption empty"),
        ("é" * 3000, "é" * 2048, "caption cut"),
        ("x" + "é" * 3000, "x" + "é" * 2047, "caption cut"),
    ],
)
def test_captions_are_repaired_and_counted(caption, stored, repair):
    repairs = collections.Counter()
    assert captions.cleaned(caption, repairs) == stored
    assert repairs == ({repair: 1} if repair else {})


# The binary.


def test_the_binary_ingests_and_refuses_in_one_line(photos, tmp_path):
    def run(*args):
        command = [sys.executable, "-m", "tfvae.bin.ingest", f"--output={tmp_path / 'shards'}", *args]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        )

    done = run(f"--input={photos}")
    assert done.returncode == 0, done.stderr
    assert "wrote 27 records in 4 shards (raw)" in done.stdout
    refused = run(f"--input={tmp_path / 'nowhere'}", "--overwrite")
    assert refused.returncode == 1
    assert "There is no folder" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run(f"--input={photos}", "--colour_mode=rgb").returncode != 0
