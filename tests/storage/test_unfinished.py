"""A file is seen only when it is whole, and what a dead writer left is removed by the next one."""

import fcntl
import os
import subprocess
import sys

import pytest

from tfvae.storage import unfinished

LEFT = ".weights.0123456789ab.tmp"


@pytest.fixture(autouse=True)
def not_looked_at(monkeypatch):
    """As a process that has just begun."""
    monkeypatch.setattr(unfinished, "_looked_at", set())


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_first_write_in_a_folder_removes_what_dead_processes_left_there(tmp_path):
    (tmp_path / LEFT).write_bytes(b"half")
    (tmp_path / ".x.tmp").write_bytes(b"not ours")
    with unfinished.new_file(tmp_path / "other") as file:
        file.write(b"whole")
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == [".x.tmp", "other"]


def test_what_a_living_process_writes_stays(tmp_path):
    with unfinished.new_file(tmp_path / "slow") as file:
        unfinished.sweep(tmp_path)
        unfinished.sweep_own(tmp_path)
        file.write(b"whole")
    with unfinished.workshop(tmp_path, "version") as workshop:
        (workshop / "version").mkdir()
        unfinished.sweep(tmp_path)
        assert (workshop / "version").is_dir()
    assert names(tmp_path) == ["slow"] and (tmp_path / "slow").read_bytes() == b"whole"


def test_what_older_versions_left_is_removed_where_nobody_else_writes(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".step.h5.123.tmp").write_bytes(b"")
    (tmp_path / ".incoming-0123456789abcdef" / "variables").mkdir(parents=True)
    (tmp_path / f".a.tfrecord.{'0' * 32}").write_bytes(b"")
    unfinished.sweep(tmp_path)
    assert len(names(tmp_path)) == 5
    unfinished.sweep_own(tmp_path, below=False)
    assert names(tmp_path) == ["checkpoints", "checkpoints/.step.h5.123.tmp"]
    unfinished.sweep_own(tmp_path)
    assert names(tmp_path) == ["checkpoints"]


def test_a_sweep_between_the_making_of_a_file_and_its_lock_costs_another_try(tmp_path, monkeypatch):
    flock, swept = fcntl.flock, []

    def late(file, operation):
        if not swept:
            swept.append(1)
            unfinished.sweep(tmp_path)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with unfinished.new_file(tmp_path / "file") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["file"]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), unfinished.new_file(tmp_path / "file") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"old"


def test_a_name_of_the_longest_length_can_be_written(tmp_path):
    with unfinished.new_file(tmp_path / ("n" * 255)) as file:
        file.write(b"whole")
    assert [len(name) for name in names(tmp_path)] == [255]


def test_a_new_folder_takes_the_place_of_the_old_one_when_it_is_whole(tmp_path):
    for text in ("first", "second"):
        with unfinished.new_folder(tmp_path / "out") as making:
            (making.made / text).touch()
            (making.notes / "of the makers").touch()
            assert (tmp_path / "out" / "first").exists() == (text == "second")
        assert names(tmp_path) == ["out", f"out/{text}"]


def test_a_folder_without_a_key_is_begun_anew_one_with_a_key_gone_on_with(tmp_path):
    def fail(key):
        with pytest.raises(ZeroDivisionError), unfinished.new_folder(tmp_path / "out", key) as making:
            (making.made / "half").touch()
            raise ZeroDivisionError

    fail("")
    assert not names(tmp_path)
    fail("key")
    unfinished.settle(tmp_path / "out")
    with unfinished.new_folder(tmp_path / "out", "key") as making:
        assert names(making.made) == ["half"]
    assert names(tmp_path) == ["out", "out/half"]
    fail("key")
    with unfinished.new_folder(tmp_path / "out", "another key") as making:
        assert not names(making.made)
    assert names(tmp_path) == ["out"]


def test_between_the_two_renames_the_old_folder_is_put_back(tmp_path):
    former = tmp_path / ".out.unfinished" / "former"
    former.mkdir(parents=True)
    (former / "old").touch()
    unfinished.settle(tmp_path / "out")
    assert names(tmp_path) == ["out", "out/old"]
    former.mkdir(parents=True)
    unfinished.settle_all(tmp_path)
    assert names(tmp_path) == ["out", "out/old"], "the old one was replaced, and stays all the same"


def test_what_an_older_version_left_of_a_folder_is_put_right(tmp_path):
    for name in (".out.old-12", ".out.partial-12", ".out.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / ".out.old-12" / "old").touch()
    (tmp_path / ".out.lock").touch()
    unfinished.settle(tmp_path / "out")
    assert names(tmp_path) == ["out", "out/old"]


HOLDER = """
import sys
from tfvae.storage import unfinished
with unfinished.new_folder(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_make_one_folder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        for second in (unfinished.new_folder(tmp_path / "out"), unfinished.new_folder(tmp_path / "out", "key")):
            with pytest.raises(unfinished.HeldError, match=r"Another process is writing .*out: wait for it"), second:
                pass
        with pytest.raises(unfinished.HeldError):
            unfinished.settle(tmp_path / "out")
    finally:
        holder.communicate("")
    assert names(tmp_path) == ["out"]


def test_one_that_was_waited_for_and_has_just_ended_is_told(tmp_path, monkeypatch):
    place, flock = tmp_path / ".out.unfinished", fcntl.flock

    def ended(file, operation):
        (place / "lock").unlink(missing_ok=True)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", ended)
    with pytest.raises(unfinished.HeldError, match="has just written"), unfinished.new_folder(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == []
