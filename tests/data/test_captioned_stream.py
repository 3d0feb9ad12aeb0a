"""Captioned images in batches, beside labelled and unlabelled ones."""

import json

import numpy as np
import pytest
from PIL import Image

from tests import made_captions
from tfvae.data import load


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    return made_captions.write_coco(tmp_path_factory.mktemp("data") / "coco", wordings=2)


def config(path, **fields):
    fields = {"captioned_batch": 5, "labelled_batch": 0, "unlabelled_batch": 3, "num_validation": 10, **fields}
    return load.Config(source="folder", path=str(path), **fields)


def batches(data, num, start=0):
    return list(data.training_batches(seed=1, start_step=start).take(num).as_numpy_iterator())


def test_a_batch_has_one_caption_of_each_image_of_its_own(coco):
    data = load.load(config(coco))
    allowed = {
        image.tobytes(): {tuple(row) for row in data.vocabulary.ids(texts)}
        for image, texts in zip(data.observe(data.captioned), data.captioned.captions)
    }
    seen = set()
    for batch in batches(data, 40):
        assert set(batch) == {"captioned", "unlabelled"} and set(batch["unlabelled"]) == {"image"}
        assert batch["captioned"]["caption"].shape == (5, data.vocabulary.length)
        for image, ids in zip(batch["captioned"]["image"], batch["captioned"]["caption"]):
            assert tuple(ids) in allowed[image.tobytes()]
            seen.add((image.tobytes(), tuple(ids)))
    assert len(seen) > 90  # Of 100 pairs: both captions of an image are drawn.


def test_a_stream_goes_on_where_it_was_stopped(coco):
    data = load.load(config(coco))
    whole, rest = batches(data, 7), batches(data, 3, start=4)
    for expected, got in zip(whole[4:], rest):
        np.testing.assert_array_equal(expected["captioned"]["caption"], got["captioned"]["caption"])
        np.testing.assert_array_equal(expected["captioned"]["image"], got["captioned"]["image"])


def test_some_images_keep_their_captions_and_the_others_are_unlabelled(coco):
    data = load.load(config(coco, num_captioned=12, labelled_stay_unlabelled=False))
    assert len(data.captioned) == 12 and len(data.unlabelled) == 38
    again = load.load(config(coco, num_captioned=12, label_seed=1))
    assert data.split["captioned"] != again.split["captioned"]
    words = {word for texts in data.captioned.captions for text in texts for word in text.lower().strip(".").split()}
    assert set(data.vocabulary.words[2:]) <= words | {"left", "right"}, (
        "the vocabulary knows words it may not have seen"
    )


def test_the_words_are_frozen_with_the_split(coco, tmp_path):
    data = load.load(config(coco))
    frozen = json.loads(json.dumps(data.split))
    assert load.load(config(coco), frozen).vocabulary == data.vocabulary
    path = tmp_path / "words.txt"
    path.write_text("\n".join(data.vocabulary.words))
    fields = config(coco)
    fields.captions.vocabulary = str(path)
    assert load.load(fields, frozen).vocabulary == data.vocabulary
    path.write_text("dog\ncat\n")
    with pytest.raises(ValueError, match="does not fit the weights"):
        load.load(fields, frozen)


def test_more_images_join_the_unlabelled_ones(coco, tmp_path):
    Image.new("RGB", (40, 20), (9, 9, 9)).save(tmp_path / "extra.png")
    before, data = load.load(config(coco)), load.load(config(coco, more_images=str(tmp_path)))
    assert len(data.unlabelled) == len(before.unlabelled) + 1 and len(data.captioned) == len(before.captioned)
    assert (data.unlabelled.image == 9).all(axis=(1, 2, 3)).sum() == 1
    assert data.split["data"] != before.split["data"]


def test_no_captions_at_all_is_told(tmp_path):
    for i in range(10):
        Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
    with pytest.raises(ValueError, match="No training image has a caption"):
        load.load(config(tmp_path, num_validation=2))


def test_more_captioned_images_than_there_are_is_told(coco):
    with pytest.raises(ValueError, match="more than the 50 training images"):
        load.load(config(coco, num_captioned=51))


def test_validation_prefers_rows_that_can_be_compared(tmp_path):
    """Of 40 images a quarter has captions: these validate."""
    (tmp_path / "photos").mkdir()
    rows = []
    for i in range(40):
        Image.new("L", (8, 8), 5 * i).save(tmp_path / "photos" / f"{i}.png")
        if i % 4 == 0:
            rows.append({"file_name": f"photos/{i}.png", "caption": f"gray {i} gray"})
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    fields = config(tmp_path, num_validation=2, captioned_batch=2)
    fields.captions.min_count = 1
    data = load.load(fields)
    assert len(data.validation.captioned()) == len(data.validation) > 0
