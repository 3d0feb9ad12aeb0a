"""Two folders of photographs with the same file names, and images beside them that belong to no pair."""

import numpy as np
import pytest
from PIL import Image

from tfvae.data import folder, ingest, load, transforms

VISIBLE, INFRARED = (6, 4, 3), (6, 4)
CONFIG = folder.Config(modalities=("visible", "infrared"))


def draw(path, shape, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)


@pytest.fixture
def roads(tmp_path):
    """12 pairs; a visible image whose partner is missing; two unpaired images of each kind with names of pairs."""
    root = tmp_path / "roads"
    for i in range(12):
        draw(root / "visible" / f"{i:02}.png", VISIBLE, i)
        draw(root / "infrared" / f"{i:02}.png", INFRARED, 100 + i)
    draw(root / "visible" / "98.png", VISIBLE, 98)
    for i in range(2):
        draw(root / "unpaired" / "visible" / f"{i:02}.png", VISIBLE, 200 + i)
        draw(root / "unpaired" / "infrared" / f"{i:02}.png", INFRARED, 300 + i)
    return root


def test_folders_of_any_name_are_modalities(roads):
    found = folder.survey(roads, CONFIG)
    assert found.shapes == {"image": (6, 4, 3), "image_infrared": (6, 4, 1)} and found.class_names == ()
    kinds = [tuple(item.files) for item in found.items]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        ("image", "image_infrared"): 12, ("image",): 3, ("image_infrared",): 2,
    }  # fmt: skip
    assert "without any other image image: 3, image_infrared: 2" in found.summary()


def test_classes_and_splits_stand_around_the_modalities(tmp_path):
    for i in range(4):
        for name, shape in (("day", VISIBLE), ("night", VISIBLE)):
            draw(tmp_path / "train" / name / "ab"[i % 2] / f"{i}.png", shape, i)
    draw(tmp_path / "train" / "unpaired" / "night" / "a" / "0.png", VISIBLE, 9)
    found = folder.survey(tmp_path, folder.Config(modalities=("day", "night")))
    assert found.class_names == ("a", "b") and {item.split for item in found.items} == {"train"}
    assert sorted(len(item.files) for item in found.items) == [1, 2, 2, 2, 2]


def test_shards_keep_what_the_folders_say(roads, tmp_path):
    made = ingest.ingest(roads, tmp_path / "shards", CONFIG, report=lambda text: None)
    assert made.modalities == {"image": (6, 4, 3), "image_infrared": (6, 4, 1)}
    for source, path in (("folder", roads), ("shards", tmp_path / "shards")):
        data = load.load(config(path, source))
        (batch,) = data.training_batches(0).take(1)
        assert {name: set(rows) for name, rows in batch.items()} == {
            "paired": {"image", "image_infrared"}, "unlabelled": {"image"}, "image_infrared": {"image_infrared"},
        }  # fmt: skip


def config(path, source="folder", **fields):
    named = {"modalities": ("visible", "infrared")} if source == "folder" else {}
    return load.Config(
        source=source, path=str(path), labelled_batch=0, unlabelled_batch=2, batches={"paired": 3, "image_infrared": 2},
        num_validation=1, labelled_stay_unlabelled=False, transform=transforms.Config(flatten=False), **named, **fields,
    )  # fmt: skip


@pytest.mark.parametrize("modalities,match", [
    (("visible", "infrared", "depth"), "names 'depth'.*there are.*infrared.*visible"),
    (("visible",), "two folders at least"),
    (("visible", "visible"), "two folders at least"),
    (("visible", "infra red"), "letters, digits"),
    (("visible", "unpaired"), "two folders at least"),
])  # fmt: skip
def test_modalities_that_the_folder_cannot_have_are_refused(roads, modalities, match):
    with pytest.raises(ValueError, match=match):
        folder.survey(roads, folder.Config(modalities=modalities))


def test_a_run_whose_folders_were_swapped_is_refused(roads):
    data = load.load(config(roads))
    (roads / "visible").rename(roads / "aside")
    (roads / "infrared").rename(roads / "visible")
    (roads / "aside").rename(roads / "infrared")
    with pytest.raises(ValueError, match="not the folder that the run began with"):
        load.load(config(roads), data.split)


def test_one_file_of_another_size_names_its_modality(roads):
    draw(roads / "infrared" / "00.png", (4, 6), 0)
    with pytest.raises(ValueError, match="images of `image_infrared` have 2 sizes"):
        folder.survey(roads, CONFIG)
