"""What a run shows in TensorBoard besides Keras' scalars: terms in nats, KL a unit, pictures, codes, hparams."""

import contextlib
import io
import json

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams

from tfvae import experiment as experiments
from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import representation
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import captions, generation
from tfvae.storage import atomic
from tfvae.training import optimiser

_KL_ROWS = 200
_PROJECTED_ROWS = 1000


class Scalars(keras.callbacks.TensorBoard):
    """Keras' TensorBoard an epoch; between steps it does nothing at all."""

    def __init__(self, log_dir):
        super().__init__(log_dir, write_graph=False, update_freq="epoch", profile_batch=0)

    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        rates = optimiser.learning_rates(self.model)
        with _writing(self.log_dir):
            super().on_epoch_end(epoch, {**(logs or {}), **(rates if len(rates) > 1 else {})})  # Keras writes one.

    def on_train_end(self, logs=None):
        with _writing(self.log_dir):
            super().on_train_end(logs)


class Pictures(keras.callbacks.Callback):
    """Terms and KL a unit after every epoch, pictures after every few.

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
        drawn = self._drawn() if self.every and (epoch + 1) % self.every == 0 else ({}, {})
        terms = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        with _writing(self._log_dir), self._writer.as_default(step=epoch):
            for name in terms.keys() - {"loss", "error", "perplexity"}:
                tf.summary.scalar(f"nats/{name}", terms[name])
            _write(*drawn)
            self._writer.flush()

    def finish(self, model, epoch):
        """The last pictures, of that model."""
        self.set_model(model)
        drawn = self._drawn()
        with _writing(self._log_dir), self._writer.as_default(step=epoch):
            _write(*drawn)
            self._writer.close()

    def _drawn(self):
        """Images and histograms of this moment, by tag."""
        images, histograms = generation.pictures(self.model, self.data, self.seed), {}
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


def _write(images, histograms):
    for tag, image in images.items():
        tf.summary.image(tag, image[None])
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


def write_hparams(log_dir, experiment):
    """The experiment's fields for the hparams plug-in."""
    with _writing(log_dir), tf.summary.create_file_writer(str(log_dir)).as_default():
        hparams.hparams(flat(experiments.to_dict(experiment)))


def flat(fields, prefix=""):
    """Nested fields as {"data.labels_per_class": 10, ...}; lists become text."""
    found = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
    return found


def write_projector(log_dir, model, data):
    """Codes of test images with labels and sprites, for the projector; nothing is chosen by what it shows."""
    rows = subset(data.test if len(data.test) else data.validation, _PROJECTED_ROWS)
    codes = representation.codes(model, data, rows)
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="codes", tensor_path="codes.tsv", metadata_path="labels.tsv")
    table = "".join("\t".join(f"{value:.6g}" for value in code) + "\n" for code in codes)
    atomic.write_bytes(log_dir / "codes.tsv", table.encode())
    names = [data.class_names[label] if label != NO_LABEL else "?" for label in rows.label]
    atomic.write_bytes(log_dir / "labels.tsv", "".join(f"{name}\n" for name in names).encode())
    if len(data.transform.raw_shape) == 3:
        height, width, _ = data.transform.raw_shape
        atomic.write_bytes(log_dir / "sprites.png", tf.io.encode_png(sprites(rows.image)).numpy())
        embedding.sprite.image_path = "sprites.png"
        embedding.sprite.single_image_dim.extend([width, height])
    projector.visualize_embeddings(str(log_dir), config)


def sprites(image):
    """One square sheet of all images, in rows: [N, H, W, C] -> [side·H, side·W, C]."""
    side = int(np.ceil(np.sqrt(len(image))))
    sheet = np.zeros([side * side, *image.shape[1:]], np.uint8)
    sheet[: len(image)] = image
    height, width, channels = image.shape[1:]
    rows = sheet.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    return rows.reshape(side * height, side * width, channels)
