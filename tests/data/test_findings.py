"""A folder that may be meant otherwise is told of before training, and refused where a run would be senseless."""

import dataclasses
import json
import logging
import re

import numpy as np
import pytest
from PIL import Image

from tfvae.data import folder, ingest, load


def fill(root, files):
    """A picture of its own at each of these paths, or, for `path=other`, the picture of another path."""
    for path in files:
        name, _, like = path.partition("=")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        seed = list((like or name).encode())
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)).save(root / name)
    return root


FOUR = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(4)]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([*FOUR, "test/emu/a.png"], "the class 'emu' has no training row, only others (test: 1)"),
        ([*FOUR, "val/emu/a.png"], "the class 'emu' has no training row, only others (validation: 1)"),
        ([*FOUR, "emu/a.png"], "the class 'emu' has one training row"),
        ([*FOUR, "Cat/a.png"], "the classes 'Cat' and 'cat' differ by their spelling alone"),
        ([*FOUR, "caf\u00e9/a.png", "cafe\u0301/a.png"], r"'cafe\u0301' and 'caf\xe9' differ by their spelling"),
        (["1/a.png", "01/a.png", "2/a.png"], "the classes '01' and '1' differ by their spelling"),
        ([*FOUR, "test/cat/a.png=cat/0.png"], "are the same image, in test and train"),
        ([*FOUR, "dog/a.png=cat/0.png"], "are the same image, labelled 'cat' and 'dog'"),
        ([*FOUR, "cat/black/a.png", "cat/white/a.png"], "the folders 'black', 'white' in 'cat' are one class"),
        ([*FOUR, "train_x/a.png", "test_x/a.png"], "the classes 'test_x', 'train_x' look like splits"),
        ([*FOUR, "__MACOSX/cat/a.png"], "__MACOSX: a folder of a system's own"),
        ([*FOUR, "cat/.ipynb_checkpoints/a.png"], "cat/.ipynb_checkpoints: a folder of a system's own"),
    ],
)  # fmt: skip
def test_what_may_be_meant_otherwise_is_told(tmp_path, files, told):
    assert told in folder.survey(fill(tmp_path, files), folder.Config(test_fraction=0, validation_fraction=0)).summary()


def test_a_folder_as_it_should_be_has_no_findings(tmp_path):
    (fill(tmp_path, FOUR) / "Thumbs.db").write_text("x")
    found = folder.survey(tmp_path)
    assert not found.findings and not found.rejects and found.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["test/cat/a.png", "testing/dog/a.png"], "no image to train on"),
        (["photos/Training/cat/a.png", "photos/Testing/cat/a.png"], "Give .*/photos itself"),
        (["photos/train/a.png", "photos/val/a.png"], "Give .*/photos itself"),
    ],
)
def test_a_folder_that_no_run_makes_sense_of_is_refused(tmp_path, files, told):
    with pytest.raises(ValueError, match=told):
        load.load(load.Config(source="folder", path=str(fill(tmp_path, files))))


@pytest.mark.parametrize(
    ("word", "split"), [("Training", "train"), ("Testing", "test"), ("eval", "test"), ("dev", "validation")]
)
def test_words_for_splits_are_no_classes(tmp_path, word, split):
    found = folder.survey(fill(tmp_path, ["train/cat/a.png", f"{word}/cat/b.png"]))
    assert found.class_names == ("cat",)
    assert [item.split for item in found.items if item.file.endswith("b.png")] == [split]


def test_a_table_of_other_images_is_refused(tmp_path):
    (fill(tmp_path, FOUR) / "metadata.csv").write_text("file_name,label\nphotos/cat/0.png,cat\nphotos/dog/0.png,dog\n")
    with pytest.raises(ValueError, match=r"metadata\.csv: none of its 2 rows .* photos/cat/0\.png"):
        folder.survey(tmp_path)


def test_a_parquet_table_is_refused_with_what_to_do(tmp_path):
    (fill(tmp_path, FOUR) / "metadata.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="to_csv"):
        folder.survey(tmp_path)


def test_the_table_has_the_numbers_of_the_training(tmp_path, caplog):
    fill(tmp_path, [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(30)])
    with caplog.at_level(logging.INFO, logger="absl"):
        data = load.load(load.Config(source="folder", path=str(tmp_path), labels_per_class=0, num_validation=10))
    total = re.findall(r"total +(\d+) +(\d+) +(\d+)", caplog.text)
    assert [tuple(map(int, row)) for row in total] == [(len(data.train), len(data.validation), len(data.test))]
    assert len(data.validation) == 10


def test_validation_leaves_every_class_a_row(tmp_path):
    rows = [{"file_name": f"{i}.png", "label": f"{i % 3 if i < 60 else i}", "split": "train"} for i in range(70)]
    fill(tmp_path, [row["file_name"] for row in rows])
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = load.load(load.Config(source="folder", path=str(tmp_path), labels_per_class=0, num_validation=12))
    assert set(data.labelled.label) == set(range(13)), "ten classes have one row each"


def test_the_manifest_of_shards_is_made_beside_what_is_told(tmp_path):
    told = []
    ingest.ingest(fill(tmp_path / "a", [*FOUR, "Cat/a.png"]), tmp_path / "shards", report=told.append)
    assert "note: the classes 'Cat' and 'cat'" in told[0]


def test_a_folder_that_grows_is_the_folder_of_older_runs(tmp_path):
    files = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(12)]
    config = load.Config(source="folder", path=str(fill(tmp_path / "a", files)), labels_per_class=2, num_validation=4)
    began = load.load(config)
    frozen = json.loads(json.dumps(began.split))
    fill(tmp_path / "a", ["cat/new.png", "ant/0.png", "test/dog/b.png"])
    Image.new("RGB", (9, 9), (255, 0, 0)).save(tmp_path / "a" / "cat" / "large.png")
    (tmp_path / "a" / "metadata.csv").write_text("file_name,label\ncat/new.png,lynx\n")
    again = load.load(config, frozen)
    assert again.split == frozen and again.class_names == ("cat", "dog")
    np.testing.assert_array_equal(again.test.image, began.test.image)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = load.load(dataclasses.replace(config, path=str(tmp_path / "b")), frozen)
    assert moved.split == frozen


@pytest.mark.parametrize(
    ("change", "told"), [("gone", r"1 gone \(cat/3.png"), ("other", r"1 other images now \(cat/3.png")]
)
def test_images_of_older_runs_must_stay(tmp_path, change, told):
    files = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(12)]
    config = load.Config(source="folder", path=str(fill(tmp_path, files)), labels_per_class=2, num_validation=4)
    frozen = load.load(config).split
    if change == "gone":
        (tmp_path / "cat" / "3.png").unlink()
    else:
        Image.new("L", (6, 6)).save(tmp_path / "cat" / "3.png")
    with pytest.raises(ValueError, match=told):
        load.load(config, frozen)


def test_a_split_without_files_is_still_read(tmp_path):
    files = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(12)]
    config = load.Config(source="folder", path=str(fill(tmp_path, files)), labels_per_class=2, num_validation=4)
    frozen = {name: of for name, of in load.load(config).split.items() if name != "files"}
    assert load.load(config, frozen).split == frozen
    fill(tmp_path, ["cat/new.png"])
    with pytest.raises(ValueError, match="other data"):
        load.load(config, frozen)
