"""Faults of the machines that do the work: elsewhere, without a mount, with a failing disk. None is a bad image."""

import builtins
import contextlib
import errno
import io
import json
import multiprocessing
import os
import socket

import numpy as np
import pytest
from PIL import Image

from tfvae.data import folder, images, ingest
from tfvae.monitoring import served
from tfvae.serving import predictions
from tfvae.storage import reachable


@pytest.fixture
def photos(exported_sdgm, tmp_path):
    """Twelve digits in two classes, and a file that is no image."""
    _, data, _ = exported_sdgm
    for i in range(12):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.test.image[i, ..., 0]).save(path)
    (tmp_path / "photos" / "a" / "bad.png").write_bytes(b"no image at all")
    return tmp_path / "photos"


@pytest.fixture
def shards(photos, tmp_path):
    ingest.ingest(photos, tmp_path / "shards", report=quiet)
    return tmp_path / "shards"


def quiet(text):
    del text


def predict(version, source, output, **kwargs):
    return predictions.predict(version, source, output, ("classify",), rows_per_part=4, report=quiet, **kwargs)


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A `map` over two processes with a working directory of their own, as those of a cluster have."""
    context, place = multiprocessing.get_context("spawn"), tmp_path_factory.mktemp("elsewhere")
    with context.Pool(2, os.chdir, (place,)) as pool:
        yield pool.map
    assert not list(place.iterdir()), "workers left files in a directory that nobody named"


def test_workers_in_another_directory_do_what_one_process_does(elsewhere, exported_sdgm, photos, tmp_path, monkeypatch):
    version = exported_sdgm[2]
    monkeypatch.chdir(tmp_path)
    for way, spread in (("here", map), ("there", elsewhere)):
        ingest.ingest("photos", f"shards_{way}", records_per_shard=3, report=quiet, spread=spread, resume=True)
        predict(os.path.relpath(version), "photos", f"out_{way}", spread=spread)
        predict(os.path.relpath(version), f"shards_{way}", f"of_shards_{way}", spread=spread)
    for folder_of in ("shards", "out", "of_shards"):
        here, there = contents(tmp_path / f"{folder_of}_here"), contents(tmp_path / f"{folder_of}_there")
        for described in (here, there):
            described.pop(predictions.DESCRIPTION, None)  # It names the source, which is another one.
        assert here == there and len(here) > 3


def without(path, mount_point=False):
    """A `map` on a machine where this path is missing, or is a mount point where nothing is mounted."""

    def spread(function, values):
        values, away = list(values), path.with_name("away")
        path.rename(away)
        if mount_point:
            path.mkdir()
        try:
            return [function(value) for value in values]
        finally:
            if mount_point:
                path.rmdir()
            away.rename(path)

    return spread


def second(spread):
    """A `map` that goes another way when it is called again."""
    ways = iter((map, spread))
    return lambda function, values: next(ways)(function, values)


def told(path):
    return pytest.raises(reachable.UnreachableError, match=f"The machine {socket.gethostname()} cannot read .*{path}")


@pytest.mark.parametrize("mount_point", [False, True])
@pytest.mark.parametrize("lost", ["photos", "shards", "version", "out"])
def test_predictions_of_a_machine_that_lacks_something_are_not_done(
    lost, mount_point, exported_sdgm, photos, shards, tmp_path
):
    version, out = exported_sdgm[2], tmp_path / "out"
    source, path = (shards if lost == "shards" else photos), (version if lost == "version" else tmp_path / lost)
    if lost == "version" and mount_point:
        pytest.skip("an empty version is refused by TensorFlow's loader, which names it")
    with told(path.name):
        predict(version, source, out, spread=without(path, mount_point))
    assert not list(out.glob("*part-*"))
    assert predict(version, source, out) == predict(version, source, tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")


@pytest.mark.parametrize("mount_point", [False, True])
@pytest.mark.parametrize("when", [lambda spread: spread, second], ids=["looking", "writing"])
def test_images_that_a_machine_lacks_are_not_left_out_of_shards(when, mount_point, photos, tmp_path):
    spread = when(without(photos, mount_point))
    with told("photos"):
        ingest.ingest(photos, tmp_path / "out", report=quiet, spread=spread, resume=True, records_per_shard=3)
    assert not (tmp_path / "out").exists()
    made = ingest.ingest(photos, tmp_path / "out", report=quiet, resume=True, records_per_shard=3)
    assert [file for file, _ in made.rejects] == ["a/bad.png"] and sum(made.counts.values()) == 12


def test_shards_are_not_written_where_nobody_looks(photos, tmp_path):
    def spread(function, values):
        (beside,) = tmp_path.glob(".out.unfinished/*/made")
        return without(beside)(function, values)

    with told("out"):
        ingest.ingest(photos, tmp_path / "out", report=quiet, spread=second(spread), resume=True)
    assert not (tmp_path / "out").exists()
    made = ingest.ingest(photos, tmp_path / "out", report=quiet, resume=True)
    assert sum(made.counts.values()) == 12


@contextlib.contextmanager
def failing(monkeypatch, path, number):
    """Every look at a file, or only the reading of it, ends in an error of the system."""
    real_open, real_stat = builtins.open, os.stat

    def is_it(asked):
        return isinstance(asked, str | os.PathLike) and os.fspath(asked) == str(path)

    def open_or_fail(asked, *args, **kwargs):
        if is_it(asked):
            raise OSError(number, os.strerror(number), str(asked))
        return real_open(asked, *args, **kwargs)

    def stat_or_fail(asked, *args, **kwargs):
        if is_it(asked) and number != errno.EIO:
            raise OSError(number, os.strerror(number), str(asked))
        return real_stat(asked, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", open_or_fail)
        patch.setattr(io, "open", open_or_fail)
        patch.setattr(os, "stat", stat_or_fail)
        yield


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOTCONN, errno.EMFILE])
def test_an_error_of_the_system_is_no_bad_image(number, exported_sdgm, photos, tmp_path, monkeypatch):
    version, lost = exported_sdgm[2], photos / "b" / "9.png"
    work = {
        "predict": lambda: predict(version, photos, tmp_path / "out"),
        "ingest": lambda: ingest.ingest(photos, tmp_path / "shards", report=quiet, resume=True),
        "survey": lambda: folder.survey(photos),
        "drift": lambda: served.sample(photos, {"image": (8, 8, 1)}, 100),
        "check": lambda: images.check(lost),
        "read": lambda: images.read(lost),
    }
    # What the driver finds before anything travels has its own words.
    found = folder.scan(photos)
    monkeypatch.setattr(folder, "scan", lambda root: found)
    monkeypatch.setattr(predictions, "_stamp", lambda root, file: None)
    for name, begin in work.items():
        with failing(monkeypatch, lost, number), told("b/9.png"):
            begin()
        assert not (tmp_path / "shards").exists(), name
    done = [json.loads(line) for part in (tmp_path / "out").glob("*.jsonl") for line in part.read_text().splitlines()]
    assert [line["file"] for line in done if "error" in line] == ["a/bad.png"]
    assert predict(version, photos, tmp_path / "out") == {"images": 13, "errors": 1, "parts": 4}


def test_an_error_of_the_content_is_no_error_of_the_system(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros([6, 6], np.uint8)).save(path)
    whole = path.read_bytes()
    for content in (b"", b"no image", whole[:20], whole[:-10], whole[:40] + b"\xff" * 20 + whole[60:]):
        path.write_bytes(content)
        with pytest.raises(images.BadImage):
            images.check(path)
    for number in (errno.EINVAL, errno.EOVERFLOW, None):
        assert not reachable.is_of_machine(OSError(number, "seek") if number else OSError("truncated"))
