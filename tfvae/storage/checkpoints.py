"""The state to resume from: variables by their path, in HDF5 files that a kill or a full disk cannot hurt."""

import io
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
from absl import logging

from tfvae.storage import atomic
from tfvae.storage.disk import PathLike

_NAME = "step-{step:09d}.h5"
_PATTERN = re.compile(r"step-(\d{9})\.h5")
_NUMBER = re.compile(r"_\d+$")

Variables = dict[str, keras.Variable]  # By their paths.
Arrays = dict[str, np.ndarray]  # By the paths of their variables.


class Checkpoint(NamedTuple):
    """The state after `step` training steps.

    step: batches that were consumed.
    values: group -> path of the variable -> array.
    """

    step: int
    values: dict[str, Arrays]


def by_path(variables: Iterable[keras.Variable]) -> Variables:
    """The variables in a dict by their path.

    Raises:
        ValueError: if two variables have one path, or a path has a name that Keras numbered itself: such a name counts
            the layers that this process made before, so another process would not find the variable again.
    """
    found: Variables = {}
    for variable in variables:
        if variable.path in found:
            raise ValueError(
                f"Two variables have the path {variable.path!r}; give their layers `name`s of their own in the model."
            )
        found[variable.path] = variable
    automatic = _automatic_names()
    for path in found:
        for part in path.split("/")[:-1]:
            if _NUMBER.sub("", part) in automatic:
                raise ValueError(
                    f"The variable {path!r} lies in {part!r}, a name that Keras made up and that depends on what the "
                    "process built before; give that layer a `name` of its own."
                )
    return found


def _automatic_names() -> set[str]:
    """Every name that Keras gives to a layer without one: the name of its class, in snake case."""
    names, classes = set(), [keras.Layer]
    while classes:
        kind = classes.pop()
        classes.extend(kind.__subclasses__())
        names.add(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind.__name__)).lower())
    return names | {"seed_generator"}


def values(variables: Variables) -> Arrays:
    """path -> array of a dict of variables."""
    return {path: np.asarray(keras.ops.convert_to_numpy(variable)) for path, variable in variables.items()}


def assign(variables: Variables, arrays: Mapping[str, np.ndarray], source: PathLike) -> None:
    """Assigns arrays to the variables of the same path.

    Args:
        variables: path -> variable.
        arrays: path -> array.
        source: what is loaded, for the error.

    Raises:
        ValueError: if a variable has no array, an array no variable, or one another shape.
    """
    missing = sorted(set(variables) - set(arrays))
    unexpected = sorted(set(arrays) - set(variables))
    shapes = [
        f"{path} is {arrays[path].shape} there, {tuple(variables[path].shape)} here"
        for path in sorted(set(variables) & set(arrays))
        if arrays[path].shape != tuple(variables[path].shape)
    ]
    if missing or unexpected or shapes:
        problems = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        told = "; ".join(f"{what}: {', '.join(paths)}" for what, paths in problems if paths)
        raise ValueError(f"{source} does not fit this model ({told}). Was the code changed since the run began?")
    for path, variable in variables.items():
        variable.assign(arrays[path])


def to_bytes(groups: Mapping[str, Arrays], **attributes: int) -> bytes:
    """An HDF5 file image of {group: {path: array}}, made in memory: HDF5 itself never touches the disk."""
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        for group, arrays in groups.items():
            holder = file.create_group(group)
            for path, array in arrays.items():
                holder.create_dataset(path, data=array)
        file.attrs.update(attributes)
        file.flush()
        return file.id.get_file_image()


def from_bytes(image: bytes) -> tuple[dict[str, Arrays], dict[str, int]]:
    """The groups and attributes of `to_bytes`."""
    with h5py.File(io.BytesIO(image), "r") as file:
        groups: dict[str, Arrays] = {}
        for group, holder in file.items():
            arrays = groups[group] = {}
            holder.visititems(
                lambda path, item, arrays=arrays: (
                    arrays.update({path: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
        return groups, dict(file.attrs)


def save_weights(path: PathLike, model: keras.Model) -> None:
    """Writes the model's variables by their path, with a checksum beside them."""
    atomic.write_checked(path, to_bytes({"model": values(by_path(model.variables))}))


def load_weights(path: PathLike, model: keras.Model) -> None:
    """Reads what `save_weights` wrote, strictly.

    Raises:
        DamagedFileError: if the file is not what was written.
        ValueError: if the weights are those of another model.
    """
    groups, _ = from_bytes(atomic.read_checked(path))
    assign(by_path(model.variables), groups["model"], source=path)


def load_some_weights(path: PathLike, variables: Variables, dispensable: Collection[str] = ()) -> int:
    """Reads those of {path: variable} from what `save_weights` wrote of another model; how many there were.

    Args:
        path: of the file.
        variables: that are wanted.
        dispensable: paths of those that stay as they are where the file has none of all these.

    Raises:
        DamagedFileError: if the file is not what was written.
        ValueError: if it lacks one of them, or has it in another shape.
    """
    groups, _ = from_bytes(atomic.read_checked(path))
    if not set(dispensable) & set(groups["model"]):
        variables = {name: variable for name, variable in variables.items() if name not in dispensable}
    assign(variables, {name: value for name, value in groups["model"].items() if name in variables}, source=path)
    return len(variables)


class Checkpoints:
    """The checkpoints of a run: the newest few, each with its checksum.

    Args:
        folder: where they lie; made when the first one is saved.
        keep: how many are kept.
    """

    def __init__(self, folder: PathLike, keep: int = 3) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps after which there is a checkpoint, good or not, in order."""
        if not self.folder.is_dir():
            return []
        matches = (_PATTERN.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match.group(1)) for match in matches if match)

    def path(self, step: int) -> Path:
        return self.folder / _NAME.format(step=step)

    def save(self, step: int, groups: Mapping[str, Arrays]) -> None:
        """Saves {group: {path: array}} and removes the oldest."""
        self.folder.mkdir(exist_ok=True)
        atomic.write_checked(self.path(step), to_bytes(groups, step=step))
        self.remove_old()

    def remove_old(self) -> None:
        """Removes all but the newest few."""
        for old in self.steps()[: -self.keep]:
            self._remove(old)

    def read(self, step: int) -> Checkpoint:
        """The checkpoint of a step.

        Raises:
            DamagedFileError: if the file is not what was written.
        """
        groups, attributes = from_bytes(atomic.read_checked(self.path(step)))
        return Checkpoint(int(attributes["step"]), groups)

    def remove_after(self, step: int) -> None:
        """Removes what was saved after later steps, which a run that goes on from this one will save again."""
        for later in self.steps():
            if later > step:
                self._remove(later)

    def newest(self, set_aside: bool = False) -> Checkpoint | None:
        """The newest checkpoint that is good; None where there is none at all.

        Args:
            set_aside: rename damaged ones, so that a run that goes on from an older one does not meet them again.

        Raises:
            DamagedFileError: if there are checkpoints and none of them is good.
        """
        damages = []
        for step in reversed(self.steps()):
            try:
                return self.read(step)
            except (ValueError, OSError, KeyError) as error:
                logging.warning("%s Using the checkpoint before it.", error)
                damages.append(str(error))
                if set_aside:
                    self.path(step).rename(self.path(step).with_suffix(".h5.damaged"))
        if damages:
            raise DamagedCheckpointsError(
                f"No checkpoint in {self.folder} is good: {' '.join(damages)} Start again in another run directory, "
                "or restore the files from a copy."
            )
        return None

    def _remove(self, step: int) -> None:
        path = self.path(step)
        path.unlink()
        atomic.sidecar(path).unlink(missing_ok=True)


class DamagedCheckpointsError(atomic.DamagedFileError):
    """Every checkpoint of a run is damaged."""
