"""Our training steps: through `fit` as training runs them, and bare."""

import queue
import threading
import types
from unittest import mock

import keras
import made_data
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import worker

from tfvae import experiment, settings
from tfvae.data import load, transforms
from tfvae.models.adgm import Config as ADGMConfig
from tfvae.networks import mlp
from tfvae.probability import noise
from tfvae.training import callbacks, trainer

NETWORKS = ("p_x_given_yz", "p_a_given_zy", "q_a_given_x", "q_y_given_ax", "q_z_given_ayx")


def adgm(shards, precision="float32", xla=False):
    """The experiment, its data and its model, compiled as `tfvae.training` does it.

    Maaløe et al. 2016: 100 labelled and 100 bare images, 2x500 hidden units, a and z of 100; no batch normalisation.
    """
    chosen = experiment.Experiment(
        model=ADGMConfig(latent_dim=100, auxiliary_dim=100, network=mlp.Config((500, 500)), compile_step=xla),
        data=load.Config(
            source="shards", path=shards, transform=transforms.Config(noise="binarise", min_pixel_std=0.1)
        ),
        training=settings.Config(precision=precision),
    )
    data = load.load(chosen.data)
    return chosen, data, trainer.compiled(chosen, data, data.steps_per_epoch)


def bare_step(shards, precision, xla):
    """The compiled step on one batch: no input, no Keras loop."""
    _, data, model = adgm(shards, precision, xla)
    batch = next(iter(data.training_batches(seed=0)))
    step = tf.function(model.train_step)
    return worker.repeated(lambda: step(batch)["loss"].numpy())


def fit_step(shards, precision, xla):
    """A step of an endless `fit` with our input, the optimiser and the per-step callback of training."""
    _, data, model = adgm(shards, precision, xla)
    return SlicedFit(model, data).run


class SlicedFit(keras.callbacks.Callback):
    """One `fit` in a thread of its own, which waits whenever it has done the steps it was asked for.

    A `fit` for each slice would time the start of a `fit` instead.
    """

    def __init__(self, model, data):
        super().__init__()
        self._left = None
        self._asked, self._done = queue.SimpleQueue(), queue.SimpleQueue()
        state = types.SimpleNamespace(step=0, steps_per_epoch=data.steps_per_epoch, restore_metrics=lambda: None)
        interruption = types.SimpleNamespace(requested=False)
        kwargs = {
            "epochs": 10**9,
            "steps_per_epoch": data.steps_per_epoch,
            "callbacks": [callbacks.Steps(state, interruption, on_non_finite=_stop), self],
            "shuffle": False,
            "verbose": 2,
        }
        threading.Thread(
            target=self._fit, args=[model, data.training_batches(seed=0)], kwargs=kwargs, daemon=True
        ).start()

    def run(self, steps):
        self._asked.put(steps)
        error = self._done.get()
        if error is not None:
            raise error

    def _fit(self, model, batches, **kwargs):
        try:
            model.fit(batches, **kwargs)
        except Exception as error:  # Whoever waits for this thread has to hear of it.
            self._done.put(error)

    def on_train_batch_begin(self, batch, logs=None):
        if self._left == 0:
            self._done.put(None)
        if not self._left:
            self._left = self._asked.get()

    def on_train_batch_end(self, batch, logs=None):
        self._left -= 1


def record_step(shards, path):
    """Writes one step's weights, noise and batch to `path`; its loss, terms and the norm of its gradient."""
    _, data, model = adgm(shards)
    batch = next(iter(data.training_batches(seed=0)))
    drawn, draw = [], noise.normal

    def recorded(shape, seed):
        drawn.append(draw(shape, seed))
        return drawn[-1]

    with mock.patch.object(noise, "normal", recorded), tf.GradientTape() as tape:
        objective = model.objective(batch, noise.seed(0), training=True)
    gradients = tape.gradient(objective.loss, model.trainable_variables)
    arrays = {
        "labelled_image": batch["labelled"]["image"], "label": batch["labelled"]["label"],
        "unlabelled_image": batch["unlabelled"]["image"], "alpha": model.alpha,
    }  # fmt: skip
    for stream, (a, z) in {"labelled": drawn[:2], "unlabelled": drawn[2:]}.items():
        # Without the axis of the one sample; that of the classes is 1 for a, and for z of labelled images.
        arrays |= {f"{stream}_a": a[0, :, 0], f"{stream}_z": z[0]}
    for network in NETWORKS:
        arrays |= {f"{network}/{i}": array for i, array in enumerate(dense_arrays(getattr(model, network)))}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return {"loss": float(objective.loss), "gradient_norm": float(tf.linalg.global_norm(gradients))}


def dense_arrays(conditional):
    """Kernel and bias of every layer; the first kernel is that of all parents side by side."""
    merge = conditional.merge
    first = tf.concat([tf.convert_to_tensor(layer.kernel) for layer in merge.maps], axis=0)
    return [first, tf.convert_to_tensor(merge.bias), *conditional.trunk.get_weights()]


def write_shards(folder, images, num_labelled, storage):
    made_data.write_shards(folder, np.load(images), num_labelled, storage)


def _stop(logs):
    raise FloatingPointError(f"A metric of the step is not finite: {logs}.")


def versions():
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "tensorflow-probability": tfp.__version__}


if __name__ == "__main__":
    worker.serve(
        {"bare": bare_step, "fit": fit_step},
        {"write_shards": write_shards, "record_step": record_step},
        versions(),
    )
