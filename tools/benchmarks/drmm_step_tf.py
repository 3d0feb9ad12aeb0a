"""Our training step of a deep rendering mixture, as `fit` takes it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.batch import DataInfo
from tfvae.models import drmm
from tfvae.probability import noise
from tfvae.training import optimiser


def model_of(xla=False, precision="float32"):
    """ConvSmall of Nguyen et al. 2016, with the weights of seed 0."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(0)
    model = drmm.Config(compile_step=xla).build(DataInfo((28, 28, 1), 10, 60_000, 100), seed=0)
    model.prepare(batch_of())
    model.compile(optimizer=optimiser.SGD(0.2, momentum=0.0), jit_compile=False)
    return model


def batch_of():
    """Fifty labelled and fifty bare images, half of whose pixels are background as those of digits are."""
    rng = np.random.default_rng(0)
    image = np.maximum(rng.normal(size=[100, 28, 28, 1]), 0.0).astype(np.float32)
    label = tf.constant(np.arange(50) % 10)
    return {
        "labelled": {"image": tf.constant(image[:50]), "label": label},
        "unlabelled": {"image": tf.constant(image[50:])},
    }


def step(recorded, xla=False, precision="float32"):
    """The compiled step on one batch."""
    del recorded
    model, batch = model_of(xla, precision), batch_of()
    compiled = tf.function(model.train_step)
    return worker.repeated(lambda: compiled(batch)["loss"].numpy())


def record_step(path):
    """Writes weights and batch to `path`; the loss and the norm of its gradient."""
    model, batch = model_of(), batch_of()
    with tf.GradientTape() as tape:
        loss = model.objective(batch, noise.seed(0), training=True).loss
    gradients = tape.gradient(loss, model.trainable_variables)
    arrays = {f"kernel{i}": layer.kernel for i, layer in enumerate(model.network.layers)}
    arrays |= {"image": np.concatenate([stream["image"] for stream in batch.values()])}
    arrays |= {"label": batch["labelled"]["label"]}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return {"loss": float(loss), "gradient_norm": float(tf.linalg.global_norm(gradients))}


if __name__ == "__main__":
    worker.serve(
        {"step": step}, {"record_step": record_step}, {"tensorflow": tf.__version__, "keras": keras.__version__}
    )
