"""Kinds of entry: each survives its record, its column and its batch; tags, factors and numbers of rows in batches."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

from tfvae.data import entries, folder, ingest, load, manifest, records
from tfvae.data.columns import Partial
from tfvae.data.entries.factors import Factors
from tfvae.data.entries.image import Image
from tfvae.data.examples import Examples, concatenate

# Kind -> (the entry that reads records, values of four examples).
PIXELS = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3, 1)
VALUES = {
    "label": (entries.named("label"), [2, None, 0, 1]),
    "caption": (entries.named("caption"), [("a dog", "ein Hündchen"), None, ("a cat",), None]),
    "tags": (entries.named("tags"), [("red", "small"), ("red",), None, None]),
    "factors": (Factors(("slant", "x")), [{"slant": 0.5, "x": 2.0}, None, {"x": -1.0, "slant": 3.0}, None]),
    "image": (Image("image", (2, 3, 1), optional=True), [PIXELS[0], None, PIXELS[2], PIXELS[3]]),
    "image_depth": (Image("image_depth", (2, 3, 1), optional=True), [None, PIXELS[1], None, None]),
}
every_kind = pytest.mark.parametrize("name", VALUES)


def plain(column):
    """A column as text, in which NaN equals NaN."""
    if isinstance(column, Partial):
        return json.dumps([column.has.tolist(), np.asarray(column.some).tolist()])
    return json.dumps(column if isinstance(column, tuple) else np.asarray(column).tolist())


def test_every_file_is_a_kind_of_its_name():
    assert set(entries.kinds()) == {"image", "label", "caption", "tags", "factors", "row"}
    assert entries.named("image_depth").name == "image_depth"
    for wrong in ("pose", "image_a_bytes"):
        with pytest.raises(ValueError, match=wrong):
            entries.named(wrong)


@every_kind
def test_values_survive_their_records(name):
    entry, values = VALUES[name]
    serialised = [records.serialise(**({} if value is None else {name: value})) for value in values]
    parsed = records.parse(tf.constant(serialised), [entry])
    collector = entry.collector(len(values))
    collector.add({key: v.numpy() if isinstance(v, tf.Tensor) else v for key, v in parsed.items()})
    assert plain(collector.column()) == plain(entry.stack(values))
    assert entry.has(collector.column()).tolist() == [value is not None for value in values]
    assert not any(records.problem(record, [entry], ()) for record in serialised if name != "label")


@every_kind
def test_columns_are_taken_and_put_together(name):
    entry, values = VALUES[name]
    whole = Examples(**{"label": np.full(4, -1), name: entry.stack(values)})
    parts = concatenate([whole.take([0]), whole.take(np.array([False, True, True, False])), whole.take(slice(3, 4))])
    assert plain(parts[name]) == plain(whole[name])
    lacking = concatenate([whole, Examples(label=np.full(2, -1))])
    assert lacking.has(name).tolist()[:4] == [value is not None for value in values] and not lacking.has(name)[4:].any()


@every_kind
def test_other_values_have_another_digest(name):
    entry, values = VALUES[name]
    first, second = (list(map(bytes, entry.digest(entry.stack(of)))) for of in (values, values[1:] + values[:1]))
    assert first != second


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"as long, got {'tags': 1}"):
        Examples(PIXELS, tags=(("a",),))


@pytest.fixture
def photos(tmp_path):
    """24 images: each with factors that its gray level tells, half of them with tags."""
    root = tmp_path / "photos"
    root.mkdir()
    rows = []
    for i in range(24):
        Pillow.fromarray(np.full((4, 4), 10 * i, np.uint8)).save(root / f"{i:02}.png")
        row = {"file_name": f"{i:02}.png", "factors": {"tilt": i / 2, "slant": -i}}
        rows.append(row | ({"tags": ["even", "low" if i < 12 else "high"]} if i % 2 == 0 else {}))
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def config(path, source, **fields):
    fields = {"batches": {"tagged": 3}, "entries": ("factors", "row"), **fields}
    return load.Config(source=source, path=str(path), labelled_batch=0, unlabelled_batch=5, num_validation=2, **fields)


@pytest.mark.parametrize("source", ["folder", "shards"])
def test_tags_factors_and_rows_come_in_batches(photos, tmp_path, source):
    path = photos
    if source == "shards":
        path = tmp_path / "shards"
        made = ingest.ingest(photos, path, report=lambda text: None)
        assert made.entries == {"factors": 24, "tags": 12} and made.names == {"factors": ("slant", "tilt")}
        assert manifest.read(path) == made
    data = load.load(config(path, source))
    assert data.info.names["factors"] == ("slant", "tilt") and data.info.names["tags"][0] == "even"
    (batch,) = data.training_batches(seed=0).take(1)
    assert set(batch["tagged"]) == {"image", "tags", "factors", "row"}
    assert set(batch["unlabelled"]) == {"image", "factors", "row"}
    for rows in batch.values():
        number = np.round(255 * np.asarray(rows["image"])[:, 0] / 10)
        np.testing.assert_allclose(rows["factors"], np.stack([-number, number / 2], axis=1))
        np.testing.assert_array_equal(data.observe(data.train.take(np.asarray(rows["row"]))), rows["image"])
    names = np.array(data.info.names["tags"])
    for number, tags in zip(255 * batch["tagged"]["image"][:, 0].numpy() / 10, batch["tagged"]["tags"].numpy()):
        assert set(names[tags == 1]) == {"even", "low" if round(number) < 12 else "high"}


def test_rows_are_numbered_without_gaps(photos):
    data = load.load(config(photos, "folder"))
    assert data.train["row"].tolist() == list(range(len(data.train)))
    assert set(data.unlabelled["row"]) == set(range(len(data.train)))


def test_tags_are_frozen_with_the_split(photos):
    data = load.load(config(photos, "folder"))
    frozen = json.loads(json.dumps(data.split))
    assert load.load(config(photos, "folder"), frozen).info == data.info and frozen["tags"][0] == "even"


def test_entries_that_are_not_asked_for_are_not_read(photos):
    data = load.load(config(photos, "folder", batches={}, entries=()))
    assert set(data.train.columns) == {"image", "label"}


def test_an_entry_that_some_rows_lack_is_told(photos):
    with pytest.raises(ValueError, match="rows of the stream 'unlabelled' have no tags"):
        load.load(config(photos, "folder", entries=("tags",)))
    with pytest.raises(ValueError, match="no entry 'pose'"):
        load.load(config(photos, "folder", entries=("pose",)))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"factors": {"slant": "steep"}}, "factor `slant` must be a finite number"),
        ({"factors": 3}, "`factors` must be an object of named values"),
        ({"factors": {"slant": 1.0}}, "must all have the same ones"),
    ],
)
def test_factors_that_are_none_are_told(photos, row, told):
    with open(photos / "metadata.jsonl", "a") as file:
        Pillow.new("L", (4, 4)).save(photos / "x.png")
        file.write("\n" + json.dumps({"file_name": "x.png", **row}))
    with pytest.raises(ValueError, match=told):
        folder.survey(photos)


def test_factors_stand_in_columns_of_a_table(photos):
    (photos / "metadata.jsonl").unlink()
    (photos / "metadata.csv").write_text("file_name,factors.x,factors.depth\n00.png,0.5,2\n01.png,,\n")
    values = {item.file: item.values for item in folder.survey(photos).items}
    assert values["00.png"] == {"factors": {"x": 0.5, "depth": 2.0}} and values["01.png"] == {}
