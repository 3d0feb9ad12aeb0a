"""What a run shows in TensorBoard: what was measured, its config and classes, pictures, KL a unit, codes."""

import contextlib
import io
import json

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams import api_pb2, summary

from tfvae import experiment as experiments
from tfvae.capabilities import Capability
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import captions, generation, translations
from tfvae.reports.panels import grids
from tfvae.storage import atomic
from tfvae.training import optimiser, projector

_KL_ROWS = 200
_HELD_OUT = "val_"
# Says, in TensorBoard's directory, that the run was described there.
_DESCRIBED = "described"


class Scalars(keras.callbacks.Callback):
    """What was measured after every epoch, once: `epoch_<name>`, of training in one run and of validation in the other,
    so that TensorBoard draws both in one chart.

    Args:
        log_dir: of TensorBoard.
    """

    def __init__(self, log_dir):
        super().__init__()
        self._log_dir = log_dir
        self._writers = {}

    def on_epoch_end(self, epoch, logs=None):
        with _writing(self._log_dir):
            for name, value in {**(logs or {}), **optimiser.learning_rates(self.model)}.items():
                with self._writer("validation" if name.startswith(_HELD_OUT) else "train").as_default(step=epoch):
                    tf.summary.scalar(f"epoch_{name.removeprefix(_HELD_OUT)}", value)
            for writer in self._writers.values():
                writer.flush()

    def on_train_end(self, logs=None):
        with _writing(self._log_dir):
            while self._writers:
                self._writers.popitem()[1].close()

    def _writer(self, run):
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self._log_dir / run))
        return self._writers[run]


class Pictures(keras.callbacks.Callback):
    """Pictures and KL a unit after every few epochs.

    Args:
        data: `tfvae.data.load.Data`.
        log_dir: of TensorBoard.
        every: epochs between two sets of pictures; 0 for none.
        seed: of the pictures, the same every time.
    """

    def __init__(self, data, log_dir, every, seed):
        super().__init__()
        self.data = data
        self.every = every
        self.seed = seed
        self._log_dir = log_dir
        self._writer = tf.summary.create_file_writer(str(log_dir / "validation"))
        self._kl_rows = subset(data.validation, _KL_ROWS)

    def on_epoch_end(self, epoch, logs=None):
        if not self.every or (epoch + 1) % self.every:
            return
        drawn = self._drawn()
        with _writing(self._log_dir), self._writer.as_default(step=epoch):
            _write(*drawn, self.data.class_names)
            self._writer.flush()

    def finish(self, model, epoch):
        """The last pictures, of that model."""
        self.set_model(model)
        drawn = self._drawn()
        with _writing(self._log_dir), self._writer.as_default(step=epoch):
            _write(*drawn, self.data.class_names)
            self._writer.close()

    def _drawn(self):
        """Images and histograms of this moment, by tag."""
        images, histograms = generation.pictures(self.model, self.data, self.seed), {}
        images |= translations.pictures(self.model, self.data, self.seed)
        for name, png in captions.examples(self.model, self.data, seed=self.seed).items():
            images[name] = _pixels(png)
        if self.model.can(Capability.KL_PER_UNIT):
            rows = self._kl_rows.take(np.arange(at_once(self.model, len(self._kl_rows))))
            image = tf.constant(self.data.observe(rows))
            units = compiled(self.model, "kl_per_unit")(image, noise.seed(self.seed))
            for name, kl in units.items():
                histograms[f"kl_per_unit/{name}"] = np.mean(kl, axis=0)
                images[f"kl_per_unit/{name}"] = kl_bars(histograms[f"kl_per_unit/{name}"], name)
        return images, histograms


def _write(images, histograms, class_names):
    for tag, image in images.items():
        columns = grids.columns(tag, class_names)
        described = f"Columns, from the left: {', '.join(map(_cell, columns))}." if columns else None
        tf.summary.image(tag, image[None], description=described)
    for tag, values in histograms.items():
        tf.summary.histogram(tag, values)


@contextlib.contextmanager
def _writing(log_dir):
    """TensorFlow's errors of a full disk, as an OSError that says what to do."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(
            f"could not write to {log_dir}: {error.message.splitlines()[0]}. Make room and start the same command again"
        ) from error


def kl_bars(kl, name):
    """KL of each latent unit as bars, the most used unit first: uint8 [H, W, 3] (Maaløe et al. 2016, figure 4a)."""
    figure = Figure(figsize=(6, 3), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(len(kl)), np.sort(kl)[::-1])
    axes.set(xlabel=f"units of {name}, sorted", ylabel="KL [nats]")
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return _pixels(png.getvalue())


def _pixels(png):
    return tf.io.decode_png(png, channels=3).numpy()


def describe(log_dir, experiment, data):
    """What the run is of, once: the experiment's fields for the hparams plug-in, and as text, with the classes."""
    if (log_dir / _DESCRIBED).exists():
        return
    fields = flat(experiments.to_dict(experiment))
    with _writing(log_dir), tf.summary.create_file_writer(str(log_dir)).as_default(step=0):
        hparams.hparams(fields)
        tf.summary.text("config", _table(("field", "value"), fields.items()))
        if data.class_names:
            tf.summary.text("classes", _table(("number", "class", "labelled training images"), _classes(data)))
    atomic.write_bytes(log_dir / _DESCRIBED, b"")


def _classes(data):
    counts = np.bincount(data.labelled.label, minlength=len(data.class_names)) if len(data.labelled) else None
    for number, name in enumerate(data.class_names):
        yield number, name, 0 if counts is None else counts[number]


def _table(head, lines):
    """A table in Markdown; what would end a cell is escaped."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(value):
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def finish(log_dir, model, data):
    """What is written once, of the best weights: the codes; and that the run has ended."""
    projector.write(log_dir, model, data)
    ended = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
    with _writing(log_dir), tf.summary.create_file_writer(str(log_dir)).as_default(step=0):
        tf.summary.experimental.write_raw_pb(ended.SerializeToString(), step=0)


def flat(fields, prefix=""):
    """Nested fields as {"data.labels_per_class": 10, ...}; lists become text."""
    found = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
    return found
