"""Our training step of a VAE with weight-normalised networks, as `fit` takes it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.batch import DataInfo
from tfvae.layers.masked import MaskedConv2D
from tfvae.layers.weight_norm import WeightNorm
from tfvae.models import multimodal
from tfvae.networks import modality
from tfvae.probability import noise
from tfvae.training import optimiser

BATCH, Z = 256, 50


def model_of(kind, xla=False):
    """Shah's network of MNIST, with the weights of seed 0 and the initialisation of the batch."""
    keras.utils.set_random_seed(0)
    config = multimodal.Config(latent_dim=Z, network=modality.Config(kind=kind), compile_step=xla)
    model = config.build(DataInfo((28, 28, 1), 0, 60_000, 0)).prepare(batch_of())
    model.compile(optimizer=optimiser.RMSprop(2e-3, momentum=0.9), jit_compile=False)
    return model


def batch_of():
    return {
        "unlabelled": {"image": tf.constant(np.random.default_rng(0).integers(0, 2, [BATCH, 28, 28, 1]), tf.float32)}
    }


def step(kind, xla=False):
    """The compiled step on one batch."""
    model, batch = model_of(kind, xla), batch_of()
    compiled = tf.function(model.train_step)
    return worker.repeated(lambda: compiled(batch)["loss"].numpy())


def record_step(kind, path):
    """Writes weights, batch and noise to `path`; the loss and the norm of its gradient."""
    model, batch, seed = model_of(kind), batch_of(), noise.seed(0)
    with tf.GradientTape() as tape:
        loss = model.objective(batch, seed, training=True).loss
    gradients = tape.gradient(loss, model.trainable_variables)
    arrays = {}
    for layer in (layer for layer in model._flatten_layers() if isinstance(layer, WeightNorm)):
        arrays |= {f"{layer.name}/v": layer.layer.kernel, f"{layer.name}/g": layer.g}
        if layer.b is not None:
            arrays[f"{layer.name}/b"] = layer.b
        if isinstance(layer.layer, MaskedConv2D):
            arrays[f"{layer.name}/mask"] = layer.layer.mask
    draws = noise.fold_in(noise.fold_in(seed, 0), 0)
    arrays |= {"image": batch["unlabelled"]["image"], "noise": noise.normal([BATCH, Z], draws)}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return {"loss": float(loss), "gradient_norm": float(tf.linalg.global_norm(gradients))}


if __name__ == "__main__":
    worker.serve(
        {"step": step}, {"record_step": record_step}, {"tensorflow": tf.__version__, "keras": keras.__version__}
    )
