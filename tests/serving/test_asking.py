"""tfvae-ask: relative paths from any folder, a line a file, and what is wrong in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import tfvae
from tfvae.serving import asking


@pytest.fixture
def here(exported_sdgm, tmp_path, monkeypatch):
    """A folder of two digits and a link to the model, which is the working directory."""
    _, data, version = exported_sdgm
    for i in range(2):
        Image.fromarray(data.test.image[i, ..., 0]).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    (tmp_path / "empty").touch()
    (tmp_path / "sdgm").symlink_to(version.parent)
    monkeypatch.chdir(tmp_path)


def test_relative_paths_are_answered_by_the_command(here, exported_sdgm):
    command = [sys.executable, "-m", "tfvae.bin.ask", "--model=sdgm", "0.png", "./1.png"]
    environment = {**os.environ, "PYTHONPATH": str(Path(tfvae.__file__).parents[1])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # As a user has it.
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("next: tfvae-predict") or os.path.exists("/dev/nvidiactl")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["0.png", "1.png"]
    names = exported_sdgm[1].class_names
    assert all(label in names and 10 <= float(sure.rstrip("%")) <= 100 for _, label, sure in lines)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "BMP", "GIF"])
def test_every_kind_of_file_that_training_reads_is_answered(here, form):
    options = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "JPEG" else {}
    Image.open("0.png").save("photo", form, **options)
    png, other = asking.ask("sdgm", ["0.png", "photo"])
    assert other.split()[0] == "photo" and png.split()[1] == other.split()[1]


@pytest.mark.parametrize(
    ("model", "files", "told"),
    [
        ("sdgm", ["0.png", "none.png"], "There is no file none.png"),
        ("sdgm", ["0.png", "bad.png"], "bad.png is no image that can be read: text, not a PNG"),
        ("sdgm", ["0.png", "cut.png"], "hold no readable .*image: cut.png$"),
        ("sdgm", ["0.png", "empty"], "empty is no image that can be read: empty file"),
        ("none", ["0.png"], "none holds no version"),
    ],
)
def test_what_is_wrong_is_told(here, model, files, told):
    with pytest.raises(ValueError, match=told):
        asking.ask(model, files)
