"""Help, versions and wrong flags of every command, before TensorFlow is imported."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

import tfvae
from tfvae.command_line import presets
from tfvae.data import images
from tfvae.serving import predictions

BIN = pathlib.Path(tfvae.__file__).parent / "bin"
COMMANDS = sorted(
    path.stem for path in BIN.glob("*.py") if "command.of(" in path.read_text() and path.stem != "command"
)
ASKED = """
import importlib, json, sys
command, sys.argv = sys.argv[1], ["tfvae-" + sys.argv[1], *sys.argv[2:]]
try:  # As the console script does.
    importlib.import_module("tfvae.bin." + command).run()
except SystemExit as left:
    print("\\n" + json.dumps({"code": left.code, "imported": "tensorflow" in sys.modules}))
"""


def asked(command, *arguments):
    """(exit code, standard output, standard error) of a command that must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED, command, *arguments], capture_output=True, text=True, check=True
    )
    *said, last = done.stdout.strip().splitlines()
    end = json.loads(last)
    assert not end["imported"], "TensorFlow was imported"
    return end["code"], "\n".join(said), done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_a_commands_own_flags_and_an_example_at_once(command):
    code, said, _ = asked(command, "--help")
    assert code == 0
    assert said.startswith(f"tfvae-{command}: ")
    defined = re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", (BIN / f"{command}.py").read_text())
    assert defined and all(f"  --{name}" in said for name in defined)
    assert f"tfvae-{command} --" in said, "no example"
    assert "python -m" not in said


def test_the_version_names_the_stack():
    code, said, _ = asked("train", "--version")
    assert code == 0 and re.fullmatch(
        r"tfvae \S+ \(tensorflow 2\.\S+, keras 3\.\S+, tensorflow-probability \S+\)", said.strip()
    )


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("train", ["--wrokdir=x", "--config=sdgm_digits"], "There is no flag --wrokdir. Did you mean --workdir?"),
        ("train", ["--config=sdgm_digits"], "`--workdir` is missing: Where checkpoints"),
        ("train", ["--config", "sdgm_digits", "--workdir=x", "more"], "Unexpected arguments: more."),
        ("train", ["--config=sgdm_digits", "--workdir=x"], "no preset sgdm_digits. Did you mean sdgm_digits?"),
        ("train", ["--config=there/is/none.py", "--workdir=x"], "There is no preset there/is/none.py."),
        ("sample", ["--workdir=x", "--output=y.png", "--num=0"], "num"),
        ("sample", ["--output=y.png"], "`--workdir` is missing"),
        ("predict", ["--model=m", "--input=i", "--output=o", "--format=csw"], "format"),
        ("train", ["--config=sdgm_digits", "--workdir=x", "--config.training.epochs=0"], "`training.epochs` must"),
        ("train", ["--config", "sdgm_digits", "--workdir=x", "--config.training.clip_norm=nan"], "got nan."),
        ("train", ["--config=sdgm_digits", "--workdir=x", "--config.training.players.m1.decay=no"], "players.m1.decay"),
        (
            "train",
            ["--config=sdgm_digits", "--workdir=x", "--config.training.seed=x"],
            "`training.seed` must be",
        ),
        ("evaluate", ["--workdir=x", "--draws=two"], "draws"),
    ],
)
def test_a_wrong_flag_is_one_line_at_once(command, arguments, told):
    code, said, error = asked(command, *arguments)
    assert code == 2 and not said
    assert error.startswith("error: ") and error.count("\n") == 1 and told in error


def test_a_preset_is_known_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for argv in (["train", "--config=sdgm_digits:tiny"], ["train", "--config", "sdgm_digits:tiny"]):
        path, size = presets.named(presets.resolved([*argv, "--workdir=x"]))
        assert pathlib.Path(path).is_file() and pathlib.Path(path).stem == "sdgm_digits" and size == "tiny"
    (tmp_path / "sdgm_digits").write_text("a file of one's own comes first")
    assert presets.named(presets.resolved(["train", "--config=sdgm_digits"])) == ("sdgm_digits", None)


def test_choices_of_flags_are_those_of_the_code():
    """They stand in the binaries as words, because the modules that know them import TensorFlow."""
    ingest, predict = ((BIN / f"{name}.py").read_text() for name in ("ingest", "predict"))
    assert all(f'"{mode}"' in ingest for mode in images.COLOR_MODES) and f"{images.MAX_PIXELS:_}" in ingest
    assert all(f'"{name}"' in predict for name in predictions.FORMATS)
    assert f"Of {', '.join(predictions.KEPT)};" in predict


def test_tensorflow_starts_without_a_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tfvae.bin.evaluate", f"--workdir={tmp_path / 'none'}"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(BIN.parents[1])},
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_traceback():
    command = [sys.executable, "-m", "tfvae.bin.train", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asked:
        asked.stdout.close()
        assert asked.stderr.read() == ""
