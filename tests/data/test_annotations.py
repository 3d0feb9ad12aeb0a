"""Captions as COCO and Flickr ship them."""

import json

import pytest
from PIL import Image

from tests import made_captions
from tfvae.data import annotations, folder, load
from tfvae.data.entries import caption
from tfvae.data.ingest import ingest


def flickr(root):
    """Four photographs in Flickr8k's form: one of each split, one in none; captions of two more that are not there."""
    (root / "images").mkdir(parents=True)
    for name in "abcd":
        Image.new("RGB", (8, 8), (60, 60, 60)).save(root / "images" / f"{name}.jpg")
    lines = [f"{name}.jpg#{k}\tcaption {k} of {name} ." for name in "abcdxy" for k in range(2)]
    (root / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    for split, names in (("train", "ax"), ("dev", "b"), ("test", "c")):
        (root / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{name}.jpg\n" for name in names))
    return root


def test_flickr_is_read_with_its_splits(tmp_path):
    found = folder.survey(flickr(tmp_path / "flickr"))
    items = {item.file: item for item in found.items}
    assert {file: item.split for file, item in items.items()} == {
        "images/a.jpg": "train", "images/b.jpg": "validation", "images/c.jpg": "test", "images/d.jpg": "train",
    }  # fmt: skip
    assert items["images/a.jpg"].values["caption"] == ("caption 0 of a .", "caption 1 of a .")
    assert found.class_names == ()  # The folder `images` is no class here.
    reasons = {reject.file: reject.reason for reject in found.rejects}
    assert "names 2 images that the folder does not have" in reasons["Flickr8k.token.txt"]


def test_coco_is_read_with_its_splits(tmp_path):
    found = folder.survey(made_captions.write_coco(tmp_path / "coco", wordings=2))
    assert {split: sum(item.split == split for item in found.items) for split in folder.SPLITS} == {
        "train": 50, "validation": 50, "test": 50,
    }  # fmt: skip
    first = next(item for item in found.items if item.file == "train2014/train_000.png")
    assert first.values["caption"] == ("A red square at the top left.", "At the top left, a square that is red")
    assert not found.rejects and not found.class_names


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("captions_train.json", "{", "no caption file of COCO"),
        ("captions_train.json", "[]", "no caption file of COCO"),
        ("captions_train.json", '{"images": [{"id": 1}], "annotations": []}', "no caption file of COCO"),
        ("captions_train.json", '{"images": [], "annotations": [{"image_id": 7, "caption": "a"}]}', "image 7"),
        (
            "captions_train.json",
            '{"images": [{"id": 7, "file_name": "a.png"}], "annotations": [{"image_id": 7, "caption": 3}]}',
            "must be text",
        ),
        ("x.token.txt", "a.jpg#0 no tab", "line 1"),
    ],
)
def test_what_is_no_caption_file_is_refused(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=told):
        annotations.read(tmp_path / name)


def test_bad_captions_are_repaired_left_out_or_cut_and_counted(tmp_path):
    lines = [b"a.jpg#0\t", b"a.jpg#1\t   ", b"a.jpg#2\tgood \xff\xfe dog", b"a.jpg#3\t" + b"long " * 80_000]
    (tmp_path / "x.token.txt").write_bytes(b"\n".join(lines))
    rows, repairs = annotations.read(tmp_path / "x.token.txt")
    assert dict(repairs) == {"caption empty": 2, "caption repaired": 1, "caption cut": 1}
    merged = rows[0]
    for row in rows[1:]:
        merged = merged.merge(row)
    assert len(merged.values["caption"]) == 2
    assert max(len(text.encode()) for text in merged.values["caption"]) <= caption.MAX_BYTES


def test_a_caption_without_a_word_is_empty(tmp_path):
    (tmp_path / "x.token.txt").write_text("a.jpg#0\t...\na.jpg#1\t !? '\na.jpg#2\ta dog\n")
    rows, repairs = annotations.read(tmp_path / "x.token.txt")
    assert dict(repairs) == {"caption empty": 2}
    assert [row.values.get("caption", ()) for row in rows] == [(), (), ("a dog",)]


def test_lemmas_are_not_read_as_more_captions():
    assert annotations.is_annotation("Flickr8k.token.txt")
    assert not annotations.is_annotation("Flickr8k.lemma.token.txt")


def test_the_splits_of_karpathy_are_read(tmp_path):
    images = [
        {"filename": f"{split}.png", "split": split, "sentences": [{"raw": f"A {split} photo."}, {"raw": "..."}]}
        for split in ("train", "restval", "val", "test")
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    for image in images:
        Image.new("RGB", (8, 8)).save(tmp_path / image["filename"])
    found = folder.survey(tmp_path)
    assert {item.file: item.split for item in found.items} == {
        "train.png": "train", "restval.png": "train", "val.png": "validation", "test.png": "test",
    }  # fmt: skip
    assert all(len(item.values.get("caption", ())) == 1 for item in found.items) and found.repairs == {
        "caption empty": 4
    }
    (tmp_path / "dataset_coco.json").write_text('{"images": [{"filename": "a"}]}')
    with pytest.raises(ValueError, match="Karpathy"):
        folder.survey(tmp_path)


def test_captions_survive_shards(tmp_path):
    coco = made_captions.write_coco(tmp_path / "coco")
    ingest(coco, tmp_path / "shards", report=lambda _: None)
    config = {"captioned_batch": 4, "labelled_batch": 0, "unlabelled_batch": 0, "num_validation": 5}
    from_folder = load.load(load.Config(source="folder", path=str(coco), **config))
    from_shards = load.load(load.Config(source="shards", path=str(tmp_path / "shards"), **config))
    assert from_folder.vocabulary == from_shards.vocabulary
    for rows, others in ((from_folder.captioned, from_shards.captioned), (from_folder.test, from_shards.test)):
        assert sorted(zip(map(bytes, rows.image), rows.captions)) == sorted(
            zip(map(bytes, others.image), others.captions)
        )


def test_an_image_without_file_is_told(tmp_path):
    coco = made_captions.write_coco(tmp_path / "coco", splits=("train",))
    (coco / "train2014" / "train_000.png").unlink()
    found = folder.survey(coco)
    assert [reject.reason for reject in found.rejects] == [
        "names 1 images that the folder does not have, such as annotations/train_000.png"
    ]


def test_a_name_that_two_files_have_is_not_guessed(tmp_path):
    coco = made_captions.write_coco(tmp_path / "coco", splits=("train",))
    (coco / "more").mkdir()
    (coco / "more" / "train_000.png").write_bytes((coco / "train2014" / "train_000.png").read_bytes())
    found = folder.survey(coco)
    assert not any(item.values.get("caption", ()) for item in found.items if item.file.endswith("train_000.png"))


def pictures(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), len(name)).save(root / name)


def coco(root, images, annotations, name="captions_train2014.json"):
    """A file of captions: (id, file name) and (image id, caption)."""
    described = {
        "images": [{"id": image, "file_name": file} for image, file in images],
        "annotations": [{"image_id": image, "caption": caption} for image, caption in annotations],
    }
    (root / name).write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.png", "train2014/a.png"),
        ("/data/coco/train2014/a.png", "train2014/a.png"),
        ("C:\\coco\\train2014\\a.png", "train2014/a.png"),
        ("../coco/a.png", "train2014/a.png"),
        ("train2014/b.png", "train2014/b.png"),
        ("/data/val2014/b.png", "val2014/b.png"),
        ("b.png", None),
        ("/data/test2014/b.png", None),
    ],
)
def test_the_end_of_a_path_names_an_image(tmp_path, name, file):
    pictures(tmp_path, "train2014/a.png", "train2014/b.png", "val2014/b.png")
    coco(tmp_path, [(1, name)], [(1, "a dog")])
    found = folder.survey(tmp_path)
    assert [item.file for item in found.items if item.values] == ([file] if file else [])
    told = "names 1 images by a name that several files of the folder have"
    assert [told in reject.reason for reject in found.rejects] == ([] if file else [True])


@pytest.mark.parametrize("ids", [(7, "7"), ("7", 7), (7, 7.0), ("a", "a")])
def test_ids_are_the_same_in_whichever_type(tmp_path, ids):
    coco(tmp_path, [(ids[0], "a.png")], [(ids[1], "a dog")])
    rows, _ = annotations.read(tmp_path / "captions_train2014.json")
    assert [row.values.get("caption") for row in rows] == [None, ("a dog",)]


def test_an_id_of_two_images_is_refused(tmp_path):
    coco(tmp_path, [(7, "a.png"), ("7", "b.png")], [(7, "a dog")])
    with pytest.raises(ValueError, match="two `images` have the id 7"):
        annotations.read(tmp_path / "captions_train2014.json")


def test_captions_of_images_that_are_not_listed_are_counted(tmp_path):
    pictures(tmp_path, "a.png")
    coco(tmp_path, [(1, "a.png")], [(1, "a dog"), (2, "a cat"), (3, "a cow")])
    found = folder.survey(tmp_path)
    assert found.repairs == {"caption of an image that its file does not list": 2}
    assert "captions: 1, caption of an image that its file does not list: 2" in found.summary()


def test_what_several_files_say_is_taken_once_and_the_splits_of_karpathy_stand(tmp_path):
    pictures(tmp_path, "val2014/a.png", "val2014/b.png")
    images = [
        {"filename": f"{name}.png", "split": split, "sentences": [{"raw": f"a {name}"}]}
        for name, split in (("a", "restval"), ("b", "test"))
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    coco(tmp_path, [(1, "a.png"), (2, "b.png")], [(1, "a a"), (2, "another b")], "captions_val2014.json")
    found = folder.survey(tmp_path)
    assert {item.file[-5]: (item.split, item.values["caption"]) for item in found.items} == {
        "a": ("train", ("a a",)), "b": ("test", ("a b", "another b")),
    }  # fmt: skip
    assert found.repairs == {
        "caption that several files give, taken once": 1,
        "split that two tables give otherwise, that of the first is kept": 2,
    }
    assert not found.rejects


def test_kaggles_table_of_flickr_is_read(tmp_path):
    pictures(tmp_path, "Images/a.jpg", "Images/b.jpg")
    table = 'image,caption\na.jpg,A child .\na.jpg,"A child , climbing"\nb.jpg,A dog .\nc.jpg,A cat .\n'
    (tmp_path / "captions.txt").write_text(table)
    found = folder.survey(tmp_path)
    assert {item.file: item.values["caption"] for item in found.items} == {
        "Images/a.jpg": ("A child .", "A child , climbing"), "Images/b.jpg": ("A dog .",),
    }  # fmt: skip
    assert not found.class_names and [reject.file for reject in found.rejects] == ["captions.txt"]
    (tmp_path / "captions.txt").write_text("my notes\n")
    with pytest.raises(ValueError, match="line 1"):
        folder.survey(tmp_path)


def test_captioned_images_without_a_label_are_tested_beside_labelled_ones(tmp_path):
    rows = []
    for i in range(60):
        Image.new("L", (8, 8), 4 * i).save(tmp_path / f"{i}.png")
        row = {"file_name": f"{i}.png", "caption": f"gray {i}"}
        rows.append({**row, "label": "ab"[i % 2]} if i < 20 else {**row, "split": "test" if i < 30 else None})
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = folder.survey(tmp_path)
    assert not found.rejects
    assert sum(item.split == "test" for item in found.items) == 10
    (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps({**row, "split": None}) for row in rows))
    drawn = folder.survey(tmp_path)
    assert sum(item.split == "test" for item in drawn.items) == 2 * 1 + 4  # A tenth of each class, and of the others.


def test_the_metadata_of_a_folder_still_goes_first(tmp_path):
    coco = made_captions.write_coco(tmp_path / "coco", splits=("train",))
    rows = [{"file_name": "train2014/train_000.png", "label": "shape"}]
    (coco / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = folder.survey(coco)
    labels = {item.file: item.label for item in found.items}
    assert labels["train2014/train_000.png"] == 0 and set(labels.values()) == {0, -1}
