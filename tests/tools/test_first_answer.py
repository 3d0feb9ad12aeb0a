"""tools/first_answer: the seconds of every step from a folder to an answer, or how it is called."""

import pathlib
import stat
import subprocess

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "first_answer"
# In the place of Python: says what it was asked to do, and whether the folder is there.
STUB = """#!/bin/sh
echo "asked: $*"
case "$2" in tfvae.bin.ask) echo "photo.png cat 90%";; esac
"""


def test_every_step_is_timed_and_flags_reach_the_training(tmp_path):
    python = tmp_path / "python"
    python.write_text(STUB)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.png").touch()
    command = [TOOL, tmp_path / "photos", tmp_path / "photo.png", "--config.training.epochs=3"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"FIRST_ANSWER_PYTHON": str(python), "PATH": "/bin:/usr/bin"}
    )
    assert done.returncode == 0, done.stderr
    steps = [line.split()[0] for line in done.stdout.splitlines() if line.endswith(" s")]
    assert steps == ["train", "export", "answer", "together"]
    assert f"--config.data.path={tmp_path / 'photos'}" in done.stdout and "--config.training.epochs=3" in done.stdout
    assert "photo.png cat 90%" in done.stdout


def test_wrong_calls_are_told(tmp_path):
    for arguments in ([], [tmp_path], [tmp_path / "nowhere", __file__], [tmp_path, tmp_path / "none.png"]):
        done = subprocess.run([TOOL, *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and "tools/first_answer PHOTOS PHOTO" in done.stderr
