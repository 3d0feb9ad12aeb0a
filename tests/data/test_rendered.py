"""The rendered world: scenes are a function of their number, and what is written is what was rendered."""

import importlib.util
import json

import numpy as np
import pytest

from tfvae.data import load
from tfvae.data.rendered import blender, ingest_rendered, objects, scenes

needs_blender = pytest.mark.skipif(
    importlib.util.find_spec("bpy") is None, reason="Blender as a module (the extra `render`) is not installed"
)


def test_a_scene_is_a_function_of_seed_and_number():
    assert scenes.scene(3, 12) == scenes.scene(3, 12)
    assert scenes.scene(3, 12) != scenes.scene(4, 12) != scenes.scene(4, 22)


def test_classes_take_turns_and_factors_fill_their_ranges():
    drawn = [scenes.scene(0, number) for number in range(500)]
    assert np.bincount([scene.label for scene in drawn]).tolist() == [50] * 10
    for name, (low, high) in scenes.FACTORS.items():
        values = np.array([scene.factors[name] for scene in drawn])
        assert low <= values.min() < low + 0.05 * (high - low) and high - 0.05 * (high - low) < values.max() <= high
    assert all(abs(scene.shade - scene.background) >= 0.15 for scene in drawn)


@pytest.mark.parametrize("label", range(10))
def test_objects_of_a_class_differ_a_little_and_stay_of_one_size(rng, label):
    several = [objects.primitives(label, rng) for _ in range(20)]
    assert len({len(parts) for parts in several}) == 1
    assert several[0] != several[1]
    for parts in several:
        reach = np.abs([np.add(np.abs(part.centre), np.divide(part.size, 2)) for part in parts]).max()
        assert 0.6 < reach < 2.2
        assert all(part.kind in ("box", "ball", "cylinder", "cone") for part in parts)
        assert all(np.linalg.norm(part.along) == pytest.approx(1.0, abs=0.1) for part in parts)


def test_without_blender_the_command_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"tfvae\[render\]"):
        ingest_rendered.ingest_rendered(tmp_path / "out", {"train": 10})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("counts", [{"train": 0}, {"test": 10}, {"train": 10, "dev": 3}, {"train": 5, "test": -1}])
def test_counts_that_make_no_set_are_refused(monkeypatch, tmp_path, counts):
    monkeypatch.setattr(blender, "require", lambda: None)
    with pytest.raises(ValueError, match="`counts`"):
        ingest_rendered.ingest_rendered(tmp_path / "out", counts)


class _Studio:
    """Stands for Blender: the number of parts, pose and grays in the pixels."""

    def render(self, scene):
        return np.full([32, 32, 1], int(255 * scene.background), np.uint8)


def _as_if_rendered(monkeypatch, stops_after=None):
    rendered = []

    def studio():
        if stops_after is not None and len(rendered) >= stops_after:
            raise KeyboardInterrupt
        rendered.append(1)
        return _Studio()

    monkeypatch.setattr(blender, "require", lambda: None)
    monkeypatch.setattr(blender, "version", lambda: "0")
    monkeypatch.setattr(ingest_rendered, "_studio", studio)
    return rendered


def test_shards_hold_every_image_once_with_its_factors(monkeypatch, tmp_path):
    _as_if_rendered(monkeypatch)
    counts = {"train": 30, "validation": 10, "test": 20}
    told = []
    made = ingest_rendered.ingest_rendered(
        tmp_path / "out", counts, seed=5, records_per_shard=20, processes=1, report=told.append
    )
    assert made.counts == {"train-labelled": 30, "validation-labelled": 10, "test-labelled": 20}
    assert made.class_counts["ship"] == {"train": 3, "validation": 1, "test": 2}
    assert "60 records" in told[0]
    data = load.load(
        load.Config(
            source="shards", path=str(tmp_path / "out"), labels_per_class=0, labelled_batch=5, unlabelled_batch=0,
            entries=("factors",),
        )
    )  # fmt: skip
    assert data.info.names["factors"] == tuple(sorted(scenes.FACTORS)) and data.class_names == objects.CLASS_NAMES
    for rows, first in ((data.train, 0), (data.validation, 30), (data.test, 40)):
        known = {tuple(np.float32([s.factors[name] for name in sorted(s.factors)])): s for s in
                 (scenes.scene(5, first + i) for i in range(len(rows)))}  # fmt: skip
        assert len(known) == len(rows)
        for factors, label, image in zip(rows["factors"], rows.label, rows.image):
            scene = known[tuple(factors)]
            assert (scene.label, int(255 * scene.background)) == (label, image[0, 0, 0])


def test_what_was_stopped_goes_on_with_the_shards_that_are_whole(monkeypatch, tmp_path):
    counts, out = {"train": 40, "test": 10}, tmp_path / "out"
    with monkeypatch.context() as patch:
        _as_if_rendered(patch, stops_after=25)
        with pytest.raises(KeyboardInterrupt):
            ingest_rendered.ingest_rendered(out, counts, records_per_shard=10, processes=1)
    assert not out.exists()
    rendered = _as_if_rendered(monkeypatch)
    ingest_rendered.ingest_rendered(out, counts, records_per_shard=10, processes=1)
    assert len(rendered) == 30  # Two of five shards were whole.
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    ingest_rendered.ingest_rendered(tmp_path / "again", counts, records_per_shard=10, processes=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == whole


@needs_blender
def test_images_of_blender_show_an_object_and_repeat(tmp_path):
    counts = {"train": 200, "test": 40}
    made = [
        ingest_rendered.ingest_rendered(tmp_path / name, counts, records_per_shard=100, processes=processes)
        for name, processes in (("two", 2), ("other", 3))
    ]
    assert [shard.sha256 for shard in made[0].shards] == [shard.sha256 for shard in made[1].shards]
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert manifest["entries"] == {"factors": 240}
    config = load.Config(
        source="shards", path=str(tmp_path / "two"), labels_per_class=0, labelled_batch=5, unlabelled_batch=0,
        num_validation=20, entries=("factors",),
    )  # fmt: skip
    data = load.load(config)
    assert data.train.image.std(axis=(1, 2, 3)).min() > 3.0, "something stands before the background"
    _assert_depth_makes_small(data.train)


def _assert_depth_makes_small(rows):
    """An object further away covers fewer pixels."""
    image, background = rows.image.astype(np.float32), rows.image[:, :1, :1].astype(np.float32)
    covered = (np.abs(image - background) > 12).mean(axis=(1, 2, 3))
    depth = rows["factors"][:, sorted(scenes.FACTORS).index("depth")]
    assert np.corrcoef(depth, covered)[0, 1] < -0.3
