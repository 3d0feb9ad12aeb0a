"""Our training step of an adversarial symmetric VAE, as `fit` takes it."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.batch import DataInfo
from tfvae.models import asvae
from tfvae.networks import critic, mlp
from tfvae.probability import noise
from tfvae.training import optimiser

Z, UNITS, ROWS = 64, 500, 100
SEED = (1, 2)  # Of the recorded noise.


def model_of(xla=False):
    """Residual critics, with the weights of seed 0."""
    keras.utils.set_random_seed(0)
    config = asvae.Config(
        Z, mlp.Config(hidden=(UNITS,)), critic_network=critic.Config(hidden=(UNITS,), joint=(UNITS,)), compile_step=xla
    )
    model = config.build(DataInfo((784,), 0, 60_000, 0), seed=0)
    model.prepare(batch_of())
    model.compile(optimizer={name: optimiser.Adam(1e-4) for name in model.players()}, jit_compile=False)
    return model


def batch_of():
    """A hundred binary images, a fifth of whose pixels are on."""
    image = (np.random.default_rng(0).random([ROWS, 784]) < 0.2).astype(np.float32)
    return {"unlabelled": {"image": tf.constant(image)}}


def step(xla=False):
    """The compiled round of both players on one batch."""
    model, batch = model_of(xla), batch_of()
    compiled = tf.function(model.train_step)
    return worker.repeated(lambda: compiled(batch)["loss_model"].numpy())


def record_step(path):
    """Writes weights, batch and noise to `path`; losses and norms of gradients of both players."""
    model, batch = model_of(), batch_of()
    arrays = {"image": batch["unlabelled"]["image"], **_noise(tf.constant(SEED))}
    for name, layer in _layers(model).items():
        kernel, bias = layer
        arrays |= {f"{name}_kernel": kernel, f"{name}_bias": bias}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    found = {}
    for name, player in model.players().items():
        with tf.GradientTape() as tape:
            loss = player.objective(batch, tf.constant(SEED)).loss
        norm = tf.linalg.global_norm(tape.gradient(loss, player.variables))
        found |= {f"loss_{name}": float(loss), f"gradient_norm_{name}": float(norm)}
    return found


def _layers(model):
    """name -> (kernel, bias) of every layer, in words that PyTorch's model has too."""
    found = {}
    for name, network in (("p", model.p_x_given_z), ("q", model.q_z_given_x)):
        (first,), last = network.merge.maps, network.trunk.layers[-1]
        found |= {f"{name}0": (first.kernel, network.merge.bias), f"{name}1": (last.kernel, last.bias)}
    for name, network in (("f1", model.critic1), ("f2", model.critic2)):
        parts = {"x": network.of_image, "z": network.of_code, "xz": network.joint}
        affine = {f"{name}_{part}": blocks[0][0] for part, blocks in parts.items() if blocks}
        found |= {key: (layer.kernel, layer.bias) for key, layer in {**affine, f"{name}_out": network.out}.items()}
    return found


def _noise(seed):
    """What both players draw from one seed, in the order of `ASVAE.model_step` and `pairs`."""
    code, prior, image = noise.split(seed, 3)
    fresh = noise.split(noise.fold_in(seed, 1), 3)[0]
    drawn = {name: noise.normal([ROWS, Z], of) for name, of in (("code", code), ("prior", prior), ("fresh", fresh))}
    return {**drawn, "pixels": noise.uniform([ROWS, 784], image)}


if __name__ == "__main__":
    worker.serve(
        {"step": step}, {"record_step": record_step}, {"tensorflow": tf.__version__, "keras": keras.__version__}
    )
