"""Fault 60: JSON of strangers with values of other types at any place is read as meant, or refused by its file."""

import copy
import json

import pytest

from tfvae.data import annotations, metadata

CAPTIONS_OF_COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [{"image_id": 7, "caption": "a dog"}, {"image_id": 8, "caption": "a cat"}],
}
CAPTIONS_OF_KARPATHY = {
    "images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a dog"}, {"raw": "a cat"}]}]
}
TABLE = {"file_name": "a.jpg", "label": "dog", "split": "train", "caption": "a dog", "tags": ["red", "small"]}
FILES = {
    "captions_train2017.json": CAPTIONS_OF_COCO, "dataset_flickr8k.json": CAPTIONS_OF_KARPATHY, "metadata.jsonl": TABLE,
}  # fmt: skip
VALUES = [None, True, 3, -0.5, 1e400, float("nan"), "", "text", [], [[]], [None], {}, {"a": {}}, [1, "a"], "\ud800"]


def read(path):
    return annotations.read(path) if annotations.is_annotation(path.name) else metadata.read(path)


def places(value, path=()):
    """Where a value may be put instead of what is there."""
    yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))


def changed(whole, place, value):
    if not place:
        return value
    whole = copy.deepcopy(whole)
    of = whole
    for key in place[:-1]:
        of = of[key]
    of[place[-1]] = value
    return whole


@pytest.mark.parametrize("name", FILES)
def test_a_value_of_another_type_is_read_or_refused_by_the_name_of_its_file(tmp_path, survives, name):
    path = tmp_path / name
    for place in places(FILES[name]):
        for value in VALUES:
            path.write_text(json.dumps(changed(FILES[name], place, value)))
            with survives(f"60 {name}"):
                try:
                    rows, _ = read(path)
                except ValueError as error:
                    assert str(path) in str(error), (place, value)
                else:
                    assert {row.file_name for row in rows} <= {
                        "a.jpg",
                        "b.jpg",
                        value if isinstance(value, str) else "a.jpg",
                    }
                    assert all(row.file_name for row in rows), (place, value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{", '{"images": 1', "\x00", "null", '{"a": 1, "a": 2}', "1" * 5000]
)
def test_what_is_no_json_is_refused_by_the_name_of_its_file(tmp_path, survives, name, content):
    path = tmp_path / name
    path.write_text(content)
    with survives(f"60 {name}"), pytest.raises(ValueError, match=name):
        read(path)
