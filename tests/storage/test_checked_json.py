"""One damaged byte of what is read back and believed is refused, or changes nothing; an edit may be accepted."""

import json
import os
import pathlib

import pytest
from absl import logging
from PIL import Image

from tfvae.configs import sdgm_digits
from tfvae.data import ingest, manifest
from tfvae.evaluation import calibration
from tfvae.run.directory import RunDirectory, _description
from tfvae.serving import export, predictions
from tfvae.storage import atomic, checked_json
from tfvae.storage.metrics_log import MetricsLog

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
SPLIT = {"labelled": [3, 1], "unlabelled": [2], "hash": "ab"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, shards, an export and predictions, as far as their JSON goes."""
    root = tmp_path_factory.mktemp("state")
    run = RunDirectory(root)
    atomic.write_json(run.split, SPLIT, indent=None)
    checked_json.write(run.config, _description(sdgm_digits.get_config("tiny"), SPLIT))
    checked_json.write(run.metrics, {"error": 0.125, "bound": -31.5, "draws": {"error": {"values": [0.125]}}})
    fitted = calibration.Calibration(1.5, 20, (0.25, 1.0, 3.0), {"novelty": "there is no validation row"})
    checked_json.write(run.calibration, {**fitted._asdict(), "weights": "0" * 64})
    log = MetricsLog(run.metrics_log)
    for epoch in (1, 2):
        log.append({"epoch": epoch, "loss": 0.5 / epoch, "val_error": 0.1 * epoch})
    for i in range(6):
        path = root / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 40 * i).save(path)
    ingest.ingest(root / "photos", root / "shards", report=lambda text: None)
    (root / "assets.extra").mkdir()
    described = {"name": "model", "signatures": {"classify": {"inputs": {"image": "float32 [None, 8, 8, 1]"}}}}
    checked_json.write(root / "assets.extra" / export.DESCRIPTION, {**described, "class_names": ["a", "b"]})
    checked_json.write(root / predictions.DESCRIPTION, {"model": "0" * 64, "source": "/photos", "parts": 3})
    checked_json.write(root / "part.counts", {"images": 100, "errors": 7}, indent=None)
    return root


# Name -> (file, how it is read).
READERS = {
    "config": ("config.json", lambda root: RunDirectory(root).description()),
    "split": ("split.json", lambda root: RunDirectory(root).read()[1]),
    "metrics": ("metrics.json", lambda root: export.measured_of(RunDirectory(root)).metrics),
    "log": ("metrics.jsonl", lambda root: MetricsLog(root / "metrics.jsonl").lines()),
    "calibration": (
        "calibration.json",
        lambda root: checked_json.read(root / "calibration.json", calibration._STORED),
    ),
    "manifest": ("shards/manifest.json", lambda root: manifest.read(root / "shards")),
    "export": ("assets.extra/tfvae.json", export.describe),
    "predictions": (
        "predictions.json",
        lambda root: checked_json.read(root / "predictions.json", ("model", "source", "parts")),
    ),
    "counts": ("part.counts", lambda root: predictions._counted(root / "part.counts") or _refused()),
}


def _refused():
    raise ValueError("asked again")


@pytest.mark.parametrize("name", READERS)
def test_one_changed_byte_is_refused_or_changes_nothing(place, survives, name):
    file, read = READERS[name]
    path = place / file
    whole, meant = path.read_bytes(), read(place)
    taken = []
    try:
        for at, byte in enumerate(whole):
            for other in {byte ^ 1, byte ^ 0x20, ord("1") if byte != ord("1") else ord("7")}:
                path.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
                try:
                    found = read(place)
                except ValueError:
                    continue
                if found != meant:
                    taken.append((at, whole[max(at - 20, 0) : at + 20], chr(other)))
    finally:
        path.write_bytes(whole)
    with survives(f"58 one byte of {name}"):
        assert not taken, f"{len(taken)} changes of {file} are believed, the first: {taken[0]}"


def test_what_was_changed_says_how_to_accept_it(tmp_path):
    path = tmp_path / "config.json"
    checked_json.write(path, {"epochs": 1})
    path.write_text(path.read_text().replace("1,", "2,", 1))
    with pytest.raises(checked_json.ChangedFileError, match=rf"tfvae-check --accept={path}\. If not: restore it"):
        checked_json.read(path)
    checked_json.accept(path)
    assert checked_json.read(path) == {"epochs": 2}


def test_a_class_that_was_renamed_on_purpose_is_taken_once_that_is_said(place):
    path = place / "shards" / manifest.NAME
    whole = path.read_bytes()
    try:
        path.write_bytes(whole.replace(b'"a"', b'"cat"'))
        with pytest.raises(checked_json.ChangedFileError, match=r"copy the shards again.*, or run ingest again"):
            manifest.read(path.parent)
        checked_json.accept(path)
        assert manifest.read(path.parent).class_names == ("cat", "b")
    finally:
        path.write_bytes(whole)


def test_a_file_whose_checksum_stands_beside_it_is_accepted_too(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"epoch": 1, "loss": 2.0})
    log.path.write_text('{"epoch": 1, "loss": 3.0}\n')
    with pytest.raises(checked_json.ChangedFileError, match=r"tfvae-check --accept=.*metrics\.jsonl"):
        log.lines()
    checked_json.accept(log.path)
    assert log.lines() == [{"epoch": 1, "loss": 3.0}]


def test_spaces_are_free_and_the_order_is_not(tmp_path):
    path = tmp_path / "file.json"
    checked_json.write(path, {"a": 1, "b": 2})
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    assert checked_json.read(path) == {"a": 1, "b": 2}
    checksum = json.loads(path.read_text())[checked_json.CHECKSUM]
    path.write_text(json.dumps({"b": 2, "a": 1, checked_json.CHECKSUM: checksum}))
    with pytest.raises(checked_json.ChangedFileError):
        checked_json.read(path)


def test_unknown_fields_are_refused_by_name(tmp_path):
    path = tmp_path / "file.json"
    checked_json.write(path, {"known": 1, "new": 2})
    with pytest.raises(atomic.DamagedFileError, match=r"unknown fields \['new'\]; known are \['known'\]"):
        checked_json.read(path, ("known",))


@pytest.mark.parametrize("content", ["", "[1]", "3", "null", '"text"', "{", "{} {}", '{"a": NaN}', "[" * 5000, "\x00"])
def test_what_is_no_object_is_refused_by_the_name_of_its_file(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content)
    for look in (checked_json.read, checked_json.accept):
        with pytest.raises(atomic.DamagedFileError, match=r"file\.json"):
            look(path)


def test_files_of_older_versions_are_read_and_told_of_once(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "info", lambda text, *args: said.append(text % args))
    path = tmp_path / "config.json"
    path.write_text('{"a": 1}')
    assert checked_json.read(path) == checked_json.read(path) == {"a": 1}
    assert said == [f"{path} has no checksum: an older version of tfvae wrote it."]


@pytest.mark.parametrize("run", sorted(path.name for path in (FIXTURES / "v0_1" / "run_directories").iterdir()))
def test_runs_of_0_1_are_read(run):
    directory = RunDirectory(FIXTURES / "v0_1" / "run_directories" / run)
    assert directory.read()[0].training.epochs and MetricsLog(directory.metrics_log).lines()


def test_shards_of_0_1_are_read():
    assert manifest.read(FIXTURES / "shards_0_1").shards


@pytest.mark.parametrize("fatal", range(1, 7))
def test_a_log_of_an_older_version_is_good_wherever_its_first_rewriting_is_killed(tmp_path, monkeypatch, fatal):
    """Its checksum comes into being beside it before anything else changes."""
    log, replace, replaced = MetricsLog(tmp_path / "metrics.jsonl"), os.replace, []
    log.path.write_text('{"epoch": 1}\n')

    def killing(source, target):
        replaced.append(target)
        if len(replaced) == fatal:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killing)
    with pytest.raises(KeyboardInterrupt):
        log.append({"epoch": 2})
    assert [line["epoch"] for line in log.lines()] in ([1], [1, 2])
