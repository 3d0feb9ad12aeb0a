"""tfvae from Python: train, open a run, load an export, and ask either with arrays or files.

    run = tfvae.open("runs/photos")
    run.classify(["cat.jpg", "dog.png"]).labels
    run.encode(images)                 # [N, Z]
    tfvae.load_export("savedmodels/photos").classify(images)

Both answer by the functions that a server has, so what Python sees is what clients see.
"""

import abc
import functools
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.batch import CAPTION, IMAGE, LABEL, TAGS
from tfvae.data.entries.tags import PROBABILITIES
from tfvae.data.load import Data
from tfvae.evaluation import calibration as calibrations
from tfvae.experiment import Experiment
from tfvae.reports import generation
from tfvae.run import opening
from tfvae.serving import export, image_files, signatures
from tfvae.storage import checked_json
from tfvae.training import trainer

_BATCH = 100


class Classification(NamedTuple):
    """The classes of N images.

    labels:        names of the most probable classes, N of them.
    probabilities: float32 [N, K].
    class_names:   of the K columns.
    calibrated:    float32 [N, K], probabilities after temperature scaling; None where no validation row has a label.
    p_value:       float32 [N], as of `Novelty`; None where there is none.
    """

    labels: list[str]
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    calibrated: np.ndarray | None = None
    p_value: np.ndarray | None = None

    @property
    def confidence(self):
        """The probability of the label: [N]."""
        return self.probabilities.max(axis=1)


class Novelty(NamedTuple):
    """Whether images are new: how strange they are beside images that no training saw.

    p_value:  float32 [N]; of an image of the same kind it is at most α with a probability of at most α.
    held_out: n, the validation images that they are ranked among; no p-value is below 1 / (n + 1).
    """

    p_value: np.ndarray
    held_out: int


class Answers(abc.ABC):
    """What a trained model answers; `images` are everywhere, of N images,

    - an array of uint8 [N, H, W, C], or of floats in [0, 1]; gray images may lack C, and one image may lack N. Images
      of another size than the model's are resized and cut as training does it with files,
    - or paths of image files, or one path.

    Attributes:
        image_shape: (H, W, C) as the model was trained, or (D,) where rows are no images.
        class_names: of the classes, () where there are none.
        calibration: what was learned from validation rows: "temperature" and "novelty" with the rows behind them, and
            "missing", why one of them is not there.
    """

    image_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    calibration: dict

    @abc.abstractmethod
    def functions(self) -> dict:
        """Signature name -> function of named tensors."""

    def encode(self, images) -> np.ndarray:
        """Means of the codes q(z | x): float32 [N, Z]."""
        return self._of_images("encode", images)["mean"]

    def classify(self, images) -> Classification:
        """The classes of images, as a `Classification`."""
        answer = self._of_images("classify", images)
        labels = [label.decode() for label in answer["label"]]
        names = self.class_names or tuple(str(k) for k in range(answer["probabilities"].shape[1]))
        beside = (answer.get(calibrations.CALIBRATED), answer.get(calibrations.P_VALUE))
        return Classification(labels, answer["probabilities"], names, *beside)

    def novelty(self, images) -> Novelty:
        """Whether images are new to the model, as a `Novelty`.

        Raises:
            ValueError: where no validation rows tell what is not new.
        """
        if calibrations.NOVELTY not in self.functions():
            why = self.calibration.get("missing", {}).get(calibrations.NOVELTY, "it was exported by an older tfvae")
            raise ValueError(f"This model cannot say what is new: {why}.")
        found = self._of_images(calibrations.NOVELTY, images)
        return Novelty(found[calibrations.P_VALUE], self.calibration[calibrations.NOVELTY]["rows"])

    def reconstruct(self, images) -> np.ndarray:
        """What is left of images after their codes: float32 [N, H, W, C] in [0, 1]."""
        return self._of_images("reconstruct", images)[IMAGE]

    def score(self, images, seed=0) -> np.ndarray:
        """How well images are explained: float32 [N]; equal seeds give equal scores.

        A bound on log p(x), nats, where higher is better. A deep rendering mixture has no density: of it, the negative
        of its energy, comparable between images and not between models.
        """
        answer = self._of_images("score", images, seed)
        return answer["bound"] if "bound" in answer else -answer["energy"]

    def render(self, labels, seed=0) -> np.ndarray:
        """An image of each class, by name or number, everything but the class drawn: float32 [N, H, W, C] in [0, 1]."""
        asked = np.array([self._class_number(label) for label in labels], np.int64)
        return self._ask("render", {LABEL: asked, signatures.SEED: _seeds(seed, len(asked))})[IMAGE]

    def caption(self, images) -> list[str]:
        """What the model says of images: N texts."""
        return [text.decode() for text in self._of_images("caption", images)[CAPTION]]

    def tag(self, images, least=0.5) -> list[dict[str, float]]:
        """Of N images {tag: probability} of the tags that are at least so probable, the most probable first."""
        answer = self._of_images("tag", images)
        rows = zip(answer[TAGS], answer[PROBABILITIES], strict=True)
        ordered = (sorted(zip(*row, strict=True), key=lambda found: -found[1]) for row in rows)
        return [{tag.decode(): float(prob) for tag, prob in found if prob >= least} for found in ordered]

    def cluster(self, images) -> np.ndarray:
        """How probably images are of each cluster: float32 [N, J]."""
        return self._of_images("cluster", images)["cluster_probabilities"]

    def sample(self, num, seed=0) -> np.ndarray:
        """Invented images: float32 [num, H, W, C] in [0, 1]."""
        return self._ask("sample", {"seed": _seeds(seed, num)})[IMAGE]

    def translate(self, images, to, source=IMAGE, seed=0) -> np.ndarray:
        """Images of the modality `to` made of images of the modality `source`: float32 [N, H, W, C] in [0, 1].

        Another seed is another draw of the code. Arrays must have the shape of `source`; files are resized.
        """
        name, paths = f"translate_{source}_to_{to}", [images] if isinstance(images, str | Path) else images
        if not hasattr(paths, "shape") and all(isinstance(path, str | Path) for path in paths):
            rows, encoded = _objects(image_files.encoded(path) for path in paths), signatures.ENCODED
        else:
            rows, encoded = _unit(np.asarray(paths)), ""
        inputs = {f"{source}{encoded}": rows, signatures.SEED: _seeds(seed, len(rows))}
        return self._ask(f"{name}{encoded}", inputs, name)[to]

    def image_from_caption(self, texts) -> np.ndarray:
        """Images that a model draws for captions: float32 [N, H, W, C] in [0, 1]."""
        return self._ask("image_from_caption", {CAPTION: _objects(text.encode() for text in texts)})[IMAGE]

    def _of_images(self, name, images, seed=0):
        """The answers to a signature that takes images."""
        argument, rows = self._argument(images)
        encoded = argument == signatures.IMAGE_BYTES
        inputs = {argument: rows}
        if name == "score":
            inputs[signatures.SEED] = _seeds(seed, len(rows))
        return self._ask(f"{name}_bytes" if encoded else name, inputs, name)

    def _class_number(self, label):
        """The number of a class that is given by number or name.

        Raises:
            ValueError: for a class that the model has not.
        """
        names = list(self.class_names)
        if label in names:
            return names.index(label)
        if isinstance(label, str) or not 0 <= label < len(names):
            raise ValueError(f"The classes are {', '.join(names)} (0 to {len(names) - 1}), got {label!r}.")
        return int(label)

    def _ask(self, signature, inputs, asked=""):
        """{output: array [N, ...]} of all rows, some at a time."""
        functions = self.functions()
        if signature not in functions:
            can = ", ".join(sorted(name for name in functions if not name.endswith(("_bytes", "_example", "_checked"))))
            raise ValueError(f"This model cannot {asked or signature}; it can {can}.")
        num = len(next(iter(inputs.values())))
        parts = []
        for first in range(0, max(num, 1), _BATCH):  # No rows have an answer too, without rows.
            part = {key: tf.constant(rows[first : first + _BATCH]) for key, rows in inputs.items()}
            parts.append({key: value.numpy() for key, value in functions[signature](**part).items()})
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _argument(self, images):
        """(name of the argument, its rows) for images in any of the forms above."""
        if isinstance(images, str | Path):
            images = [images]
        if not hasattr(images, "shape") and isinstance(images, Iterable):
            images = list(images)
            if not images:
                return IMAGE, np.zeros([0, *self.image_shape], np.float32)
            if all(isinstance(image, str | Path) for image in images):
                return signatures.IMAGE_BYTES, _objects(image_files.encoded(path) for path in images)
        array, are_images = np.asarray(images), len(self.image_shape) == 3
        array = array[None] if array.shape == self.image_shape else array
        array = array[..., None] if are_images and array.ndim == 3 else array
        if array.shape[1:] == self.image_shape:
            return IMAGE, _unit(array) if are_images else array.astype(np.float32)
        if not (are_images and array.ndim == 4 and array.shape[-1] in (1, 3)):
            raise ValueError(
                f"Images must have the shape [N, {', '.join(map(str, self.image_shape))}], got {list(array.shape)}."
            )
        pixels = np.round(_unit(array) * 255.0).astype(np.uint8)
        return signatures.IMAGE_BYTES, _objects(tf.io.encode_png(image).numpy() for image in pixels)


class Run(Answers):
    """A run directory that was trained.

    Args:
        workdir: of the run.
        data_path: where its data are now, if they have moved.

    Attributes:
        workdir, experiment, model: of the run.
    """

    def __init__(self, workdir, data_path=""):
        # Answers need no data.
        self.experiment, self._kept, self.model, self.workdir = opening.open_without_data(workdir)
        self.image_shape = tuple(self._kept.transform.raw_shape)
        self.class_names = tuple(self._kept.class_names)
        self._data_path = data_path
        self._calibration = self._functions = None

    @property
    def calibration(self) -> dict:
        return self._calibrated().described()

    @functools.cached_property
    def data(self) -> Data:
        """All rows that the run was trained on, read when they are first asked for; `data.test` and `data.validation`
        are held out.

        Raises:
            ValueError: if they are not there, or others now.
        """
        return opening.load_data(self.workdir, self._data_path)

    @property
    def metrics(self) -> dict:
        """What tfvae-evaluate measured.

        Raises:
            ValueError: if it was not evaluated yet.
        """
        path = self.workdir / "metrics.json"
        if not path.exists():
            raise ValueError(f"{self.workdir} was not evaluated yet: run tfvae-evaluate --workdir={self.workdir}.")
        return checked_json.read(path, otherwise="run tfvae-evaluate again")

    @property
    def test(self):
        """The test rows: `image` uint8 [N, H, W, C], `label` [N]."""
        return self.data.test

    def functions(self):
        if self._functions is None:  # Compiled once.
            forms = signatures.forms_of(self._kept.entries)
            served = signatures.served_endpoints(
                self.model, self._kept.transforms, self.class_names, forms=forms, calibration=self._calibrated()
            )
            self._functions = {name: _named(endpoint) for name, endpoint in served.items()}
        return self._functions

    def _calibrated(self):
        if self._calibration is None:
            self._calibration = calibrations.of_run(self.model, self.workdir, lambda: self.data)
        return self._calibration

    def sample(self, num, seed=0, label=None) -> np.ndarray:
        """Invented images: float32 [num, H, W, C] in [0, 1]; of one class where `label` is its name or number."""
        if label is None:
            return super().sample(num, seed)
        return generation.sampled(self.model, self._kept, num, seed, self._class_number(label))


class Export(Answers):
    """An exported version, asked in this process as a server would be.

    Args:
        path: of a version, or a base path whose newest version is taken.
    """

    def __init__(self, path):
        self.version = export.newest(path)
        described = export.describe(self.version)
        self.image_shape = tuple(described["image"]["shape"])
        self.class_names = tuple(described["class_names"])
        self.calibration = described.get("calibration", {})
        self._model = tf.saved_model.load(str(self.version))

    def functions(self):
        return dict(self._model.signatures)


def preset(name, size="full") -> Experiment:
    """The experiment of a preset, to change and to train: `preset("sdgm_digits")`, `preset("sdgm_mnist", "small")`.

    Raises:
        ValueError: if there is no such preset or size.
    """
    try:
        module = importlib.import_module(f"tfvae.configs.{name}")
    except ModuleNotFoundError as error:
        raise ValueError(f"There is no preset {name!r}; `tfvae-train --config=?` lists those there are.") from error
    return module.get_config(size)


def train(experiment, workdir, callbacks=()) -> Run:
    """Trains an experiment in a run directory, or goes on with what is there, and opens the run.

    Args:
        experiment: an `Experiment`, or the name of a preset, `sdgm_digits` or `sdgm_digits:tiny`.
        workdir: the run directory; made if there is none.
        callbacks: own `keras.callbacks.Callback`s, called after the validation of an epoch and before it is written.
            They see `self.model` and the logs (`loss`, `val_error`, ...), may add numbers to the logs, which
            `metrics.jsonl` and TensorBoard then have, and may set `self.model.stop_training`. They keep no state: a run
            that goes on calls new ones from the epoch where it stopped, twice for an epoch that a kill left unwritten.

    Raises:
        ValueError: as `tfvae.training.trainer.train`.
    """
    if isinstance(experiment, str):
        experiment = preset(*experiment.split(":"))
    trainer.train(experiment, workdir, callbacks=callbacks)
    return Run(workdir)


def _named(endpoint):
    """The compiled function of an endpoint, called by the names of its arguments as a signature is."""
    function = tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)
    names = [spec.name for spec in endpoint.signature]
    return lambda **inputs: function(*(inputs[name] for name in names))


def _objects(values):
    """Bytes as an array that TensorFlow takes for strings."""
    listed = list(values)
    return np.array(listed, object) if listed else np.array([], "S1")


def _seeds(seed, num):
    return np.arange(num, dtype=np.int64) + (int(seed) << 32)


def _unit(array):
    """An array of pixels as float32 in [0, 1].

    Raises:
        ValueError: for another type, and for floats that are not in [0, 1].
    """
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255.0)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"Pixels are uint8, or floats in [0, 1], got {array.dtype}.")
    if array.size and not (np.isfinite(array).all() and array.min() >= 0.0 and array.max() <= 1.0):
        raise ValueError(
            f"Float pixels must be finite and lie in [0, 1], got {array.min():.6g} to {array.max():.6g}. Divide gray "
            "levels of 0 to 255 by 255, or pass them as uint8."
        )
    return array.astype(np.float32)
