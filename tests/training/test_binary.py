"""The train program: what a user gets wrong is one line on stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

import tfvae
from tfvae import experiment as experiments
from tfvae.bin import train
from tfvae.command_line import errors
from tfvae.training import trainer

PRESET = str(Path(tfvae.__file__).parent / "configs" / "vae_digits.py")


@pytest.fixture
def parsed(monkeypatch):
    """Parses flags as the program does; the flags of this process are put back."""
    values = flags.FLAGS

    def parse(*arguments):
        monkeypatch.setattr(sys, "argv", ["train", *arguments])  # Where config_flags looks for overrides.
        return errors.parse_flags(sys.argv)

    yield parse
    for name in [name for name in values if name.startswith("config.")]:
        delattr(values, name)
    values["config"].unparse()
    values["workdir"].unparse()
    values.unparse_flags()


def test_overrides_reach_every_level_of_the_preset(parsed, tmp_path, monkeypatch, capsys):
    trained = []
    monkeypatch.setattr(trainer, "train", lambda *args, **kwargs: trained.append((args, kwargs)) or {"epoch": 1})
    parsed(
        f"--config={PRESET}:tiny", f"--workdir={tmp_path}", "--config.model.network.hidden=(8,9)",
        "--config.data.transform.noise=none", "--config.training.learning_rate=0.1",
    )  # fmt: skip
    train.main()
    (experiment,), options = trained[0]
    assert options == {"workdir": str(tmp_path)}
    assert experiment.model.network.hidden == (8, 9) and experiment.model.latent_dim == 4
    assert experiment.data.transform.noise == "none" and experiment.training.learning_rate == 0.1
    told = capsys.readouterr()
    assert json.loads(told.out) == {"epoch": 1}
    assert told.err.splitlines()[-1] == f"next: tfvae-evaluate --workdir={tmp_path}"


def test_a_player_s_optimiser_is_set_from_the_command_line(parsed, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(trainer, "train", lambda *args, **kwargs: trained.append(args) or {})
    encoder = "--config.training.players.encoder"
    parsed(
        f"--config={PRESET}:tiny", f"--workdir={tmp_path}", f"{encoder}.optimiser=rmsprop",
        f"{encoder}.learning_rate=0.1", "--config.training.players.decoders.clip_norm=0",
    )  # fmt: skip
    train.main()
    training = trained[0][0].training
    assert training.of_player("encoder").optimiser == "rmsprop" and training.of_player("encoder").learning_rate == 0.1
    assert training.of_player("decoders").optimiser == "adam" and training.of_player("decoders").clip_norm == 0.0
    again = experiments.from_dict(json.loads(json.dumps(experiments.to_dict(trained[0][0]))))
    assert again == trained[0][0] and type(again.training.players) is type(training.players)


def test_an_unknown_field_of_a_player_is_told(parsed, tmp_path, capsys):
    with pytest.raises(SystemExit):
        parsed(
            f"--config={PRESET}:tiny", f"--workdir={tmp_path}", "--config.training.players.critic.learning_rat=1",
        )  # fmt: skip
    assert "Did you mean --config.training.players.critic.learning_rate?" in capsys.readouterr().err


def test_a_player_that_the_model_lacks_is_refused(parsed, tmp_path):
    parsed(
        f"--config={PRESET}:tiny", f"--workdir={tmp_path / 'run'}", "--config.training.players.critic.learning_rate=1",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"settings of \['critic'\]; this model has the players \['model'\]"):
        train.main()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.latent_dim=0", "`model.latent_dim` must be an integer in [1, 1000000], got 0."),
        ("model.flow_length=x", "`model.flow_length` must be an integer in [1, 10000], got 'x'."),
        ("model.network.hidden=0,5", "`model.network.hidden` must be a tuple of integers in [1, 1000000], 1 at least"),
        ("model.likelihood=cauchy", "`model.likelihood` must be one of 'bernoulli', "),
        ("data.transform.min_pixel_std=nan", "`data.transform.min_pixel_std` must be a number in [0, 0.5], got nan."),
        ("data.unlabelled_batch=1000000000000", "`data.unlabelled_batch` must be an integer in [0, 10000000]"),
        ("data.unlabelled_batch=0", "are all 0: nothing to train on."),
    ],
)
def test_a_value_without_meaning_is_one_line(parsed, tmp_path, capsys, override, told):
    with pytest.raises(SystemExit) as exit_info:
        parsed(f"--config={PRESET}:tiny", f"--workdir={tmp_path / 'run'}", f"--config.{override}")
    assert exit_info.value.code == 2 and not list(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and told in said


def test_an_unknown_field_is_one_line(parsed, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_info:
        parsed(f"--config={PRESET}:tiny", f"--workdir={tmp_path}", "--config.model.latent_dm=3")
    assert exit_info.value.code == 2
    told = capsys.readouterr().err
    assert told == "error: The preset has no field model.latent_dm. Did you mean --config.model.latent_dim?\n"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("labels_per_class=3", "Did you mean --config.data.labels_per_class?"),
        ("modl.network.hidden=(3,)", "Did you mean --config.model.network.hidden?"),
        ("training.qqqq=3", "It has training.epochs, training.steps_per_epoch"),
    ],
)
def test_an_unknown_field_is_told_with_those_there_are(parsed, tmp_path, capsys, override, told):
    with pytest.raises(SystemExit):
        parsed(f"--config={PRESET}:tiny", f"--workdir={tmp_path}", f"--config.{override}")
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("path", ["vae_digit.py", "tfvae/config/vae_digits.py:tiny", "vae_digit"])
def test_an_unknown_preset_is_told_with_those_there_are(parsed, tmp_path, capsys, path):
    with pytest.raises(SystemExit):
        parsed(f"--config={path}", f"--workdir={tmp_path}")
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"There is no preset {path.removesuffix(':tiny')}. Did you mean" in told
    assert "Did you mean vae_digits?" in told and "sdgm_folder, sdgm_mnist" in told


@pytest.mark.parametrize("error", [ValueError("wrong\n  number"), FileNotFoundError(2, "No such file", "x")])
def test_errors_of_users_end_with_1_and_no_traceback(error, capsys):
    def main(argv):
        raise error

    with pytest.raises(SystemExit) as exit_info:
        errors.friendly(main)([])
    assert exit_info.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1


def test_faults_of_the_program_keep_their_traceback():
    def main(argv):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        errors.friendly(main)([])


def test_stray_arguments_are_refused(capsys):
    with pytest.raises(SystemExit) as exit_info:
        errors.friendly(lambda argv: None)(["train", "extra"])
    assert exit_info.value.code == 2
    assert "error: Unexpected arguments: extra." in capsys.readouterr().err


def test_an_unknown_preset_is_told_by_the_program(tmp_path):
    command = [sys.executable, "-m", "tfvae.bin.train", "--config=no_such.py", f"--workdir={tmp_path}"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(tfvae.__file__).parents[1], check=False)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("error: ") and "no_such.py" in ran.stderr.splitlines()[-1]
    assert "Traceback" not in ran.stderr
