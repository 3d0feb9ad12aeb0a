"""A file is the new one or the old one, whatever happens."""

import os

import pytest

from tfvae.storage import atomic


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


def test_full_disk_leaves_the_old_file_and_no_litter(tmp_path, fillable_disk):
    path = tmp_path / "file"
    atomic.write_bytes(path, b"old")
    with fillable_disk() as fill, pytest.raises(OSError, match=r"could not write 5000 bytes to .*untouched"):
        fill(1000)
        atomic.write_bytes(path, b"x" * 5000)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_a_checked_file_is_good_wherever_its_writing_was_killed(tmp_path, monkeypatch, fatal):
    path = tmp_path / "weights"
    atomic.write_checked(path, b"old")
    renames, rename = [], os.replace

    def killing(source, target):
        renames.append(target)
        if len(renames) == fatal:
            raise Killed
        rename(source, target)

    monkeypatch.setattr(os, "replace", killing)
    with pytest.raises(Killed):
        atomic.write_checked(path, b"new")
    assert atomic.read_checked(path) in (b"old", b"new")


@pytest.mark.parametrize("damaged", [b"", b"origina", b"original+", b"Original"])
def test_damage_is_refused(tmp_path, damaged):
    path = tmp_path / "weights"
    atomic.write_checked(path, b"original")
    path.write_bytes(damaged)
    with pytest.raises(atomic.DamagedFileError, match=r"damaged"):
        atomic.read_checked(path)


def test_no_checksum_is_refused(tmp_path):
    (tmp_path / "weights").write_bytes(b"who wrote this?")
    with pytest.raises(atomic.DamagedFileError, match=r"no checksum"):
        atomic.read_checked(tmp_path / "weights")


def test_sidecar_is_what_sha256sum_reads(tmp_path):
    path = tmp_path / "weights"
    atomic.write_checked(path, b"a")
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert atomic.sidecar(path).read_text() == f"{digest}  weights\n"


def test_a_checksum_of_nothing_is_removed(tmp_path):
    for name in ("weights", "weights.sha256", "gone.h5.sha256"):
        (tmp_path / name).write_bytes(b"")
    atomic.remove_lonely_sidecars(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["weights", "weights.sha256"]


def test_a_file_that_another_process_replaces_meanwhile_is_not_damaged(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    atomic.write_checked(path, b"old")
    digests, looks = atomic._digests, []

    def late(path):
        if not looks:
            looks.append(path)
            atomic.write_checked(path, b"new")
        return digests(path)

    monkeypatch.setattr(atomic, "_digests", late)
    assert atomic.read_checked(path) == b"new" and looks


def test_json_says_which_file_is_broken(tmp_path):
    (tmp_path / "config.json").write_text('{"half": ')
    with pytest.raises(atomic.DamagedFileError, match=r"config.json"):
        atomic.read_json(tmp_path / "config.json")
