"""A run directory: what lies where, and who may write to it.

config.json   the resolved experiment, versions of the stack, git revision, seeds
split.json    which rows are labelled, validation, test
checkpoints/  state to resume from
data.npz + .sha256             facts and a few rows of the data, so that they are not needed to open the run
best.weights.h5 + .sha256      the weights by the validation metric
calibration.json  what validation rows say of these weights: a temperature, and scores that new images are ranked among
draws/        of a chain: the draws that it keeps
tensorboard/  metrics.jsonl + .sha256  metrics.json  report.html
"""

import contextlib
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfvae import experiment as experiments
from tfvae.data import kept, load
from tfvae.data.load import Data
from tfvae.experiment import Experiment
from tfvae.storage import atomic, checked_json, unfinished
from tfvae.storage.disk import PathLike

_STACK = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "tf-keras", "tensorflow-datasets", "numpy", "h5py")
_DESCRIBED = ("experiment", "versions", "git", "seeds", "split_sha256")
_PLACES = tuple(f"data.{field} " for field in ("path", "data_dir", "more_images", "captions.vocabulary"))


class RunDirectory:
    """The files of one run.

    Args:
        workdir: the directory.
    """

    def __init__(self, workdir: PathLike) -> None:
        self.path = Path(workdir)
        self.config = self.path / "config.json"
        self.split = self.path / "split.json"
        self.kept_data = self.path / "data.npz"
        self.best_weights = self.path / "best.weights.h5"
        self.calibration = self.path / "calibration.json"
        self.draws = self.path / "draws"
        self.metrics_log = self.path / "metrics.jsonl"
        self.metrics = self.path / "metrics.json"
        self.report = self.path / "report.html"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.nan_dump = self.path / "nan_dump"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Makes the directory and keeps it for this process; what killed processes left half written there is removed.

        Where no run began, what was made is removed again.

        Raises:
            ValueError: if another process has it, or the path is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"`workdir` {self.path} is a file; name a directory, or a path where one can be made.")
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        with unfinished.lock(self.path / "lock", self._in_use_by):
            unfinished.sweep_own(self.path)
            for folder in (self.path, self.checkpoints, self.draws):
                atomic.remove_lonely_sidecars(folder)
            try:
                yield
            finally:
                if made and not self.config.exists():
                    self._remove(made)

    def _in_use_by(self, process: str) -> str:
        return f"{self.path} is in use by process {process}. Wait until it ends, stop it, or name another `workdir`."

    def _remove(self, made: list[Path]) -> None:
        """Removes the lock and the directories that were made for it, as far as they are empty."""
        (self.path / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()

    def load_data(self, experiment: Experiment) -> Data:
        """The data of the run: split as it was when the run began, or anew.

        Raises:
            ValueError: if the directory is that of another experiment, of other data or another split.
        """
        if not self.config.exists():
            if self.checkpoints.exists() or self.best_weights.exists():
                raise ValueError(
                    f"{self.path} has weights but no config.json, so nobody knows what they belong to. Restore "
                    "config.json, or name another `workdir`."
                )
            return load.load(experiment.data)
        config, split = self._read()
        self._refuse_another(experiment, config)
        data = load.load(experiment.data, split)
        _refuse_another_split(self.split, split, _plain(data.split))
        return data

    def record(self, experiment: Experiment, data: Data) -> None:
        """Writes down what the run is of, once it is known that it can be trained."""
        fields = _plain(experiments.to_dict(experiment))
        # What a start that was killed before the run began left is of whatever it was given.
        if not self.config.exists() or not self.kept_data.exists():
            atomic.write_checked(self.kept_data, kept.to_bytes(data))
        if self.config.exists():
            config = self.description()
            if config["experiment"] != fields:
                checked_json.write(self.config, {**config, "experiment": fields})
            return
        split = _plain(data.split)
        # config.json comes last: where it stands, the run has begun.
        atomic.write_json(self.split, split, indent=None)
        checked_json.write(self.config, _description(experiment, split))

    def description(self) -> dict[str, Any]:
        """What `config.json` says: the experiment's fields, versions, revision, seeds and the hash of the split.

        Raises:
            DamagedFileError: if the file is not what was written.
        """
        return checked_json.read(self.config, _DESCRIBED)

    def read(self) -> tuple[Experiment, dict[str, Any]]:
        """The experiment and the split of the run.

        Raises:
            ValueError: if there is no run, or its files were changed.
        """
        config, split = self._read()
        return self._began_with(config), split

    def load_kept_data(self) -> Data | None:
        """`Data` of a few rows, without those that the run was trained on; None where an older version began it.

        Raises:
            ValueError: if there is no run, or its files were changed.
        """
        experiment, split = self.read()
        if not self.kept_data.exists():
            return None
        return kept.from_bytes(atomic.read_checked(self.kept_data), experiment.data, split)

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        for path in (self.config, self.split):
            if not path.exists():
                raise ValueError(f"{self.path} is no run directory: it has no {path.name}. Train a run there first.")
        config, split = self.description(), atomic.read_json(self.split)
        if config.get("split_sha256") != _digest(split):
            raise ValueError(
                f"{self.split} is not the split this run began with (its hash in config.json differs). Restore the "
                "file, or start a run in another `workdir`."
            )
        return config, split

    def _began_with(self, config: dict[str, Any]) -> Experiment:
        try:
            return experiments.from_dict(config.get("experiment"))
        except ValueError as error:
            raise ValueError(f"{self.config} holds no experiment: {error} Restore the file.") from error

    def _refuse_another(self, experiment: Experiment, config: dict[str, Any]) -> None:
        # Through the dataclasses, so that a field that is newer than the run has its default.
        began_with = _plain(experiments.to_dict(self._began_with(config)))
        asked_for = _plain(experiments.to_dict(experiment))
        differing = differences(began_with, asked_for)
        more_epochs = asked_for["training"]["epochs"] >= began_with["training"]["epochs"]
        more_epochs = more_epochs and not experiment.training.depends_on_epochs()
        differing = [line for line in differing if not (line.startswith("training.epochs ") and more_epochs)]
        # Data may move: that they are the same is known by their content.
        differing = [line for line in differing if not line.startswith(_PLACES)]
        if differing:
            raise ValueError(
                f"{self.path} is a run of another experiment: {'; '.join(differing)}. Data may have moved, and "
                "`training.epochs` may be raised to go on, though not where a linear or cosine decay leads to the last "
                "epoch; for anything else name another `workdir`."
            )


def differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    """The differences between two nested dicts, one line a field."""
    found: list[str] = []
    for name in sorted(set(there) | set(here)):
        path = f"{prefix}{name}"
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found.extend(differences(old, new, f"{path}."))
        elif old != new:
            found.append(f"{path} is {_short(old)} there, {_short(new)} here")
    return found


def _refuse_another_split(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    differing = differences(there, here)
    if differing:
        raise ValueError(f"The data is not split as in {path}: {'; '.join(differing)}. Name another `workdir`.")


def _description(experiment: Experiment, split: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": experiments.to_dict(experiment),
        "versions": _versions(),
        "git": _git_revision(),
        "seeds": {"training": experiment.training.seed, "labels": experiment.data.label_seed},
        "split_sha256": _digest(split),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _STACK:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _git_revision() -> str | None:
    """The revision of the source tree, with `-dirty` for uncommitted changes; None outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def _digest(split: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(split, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(value))


def _short(value: Any, limit: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= limit else f"{text[:limit]}..."
