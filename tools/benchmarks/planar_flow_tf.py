"""Our planar flow: draws, densities, and the gradient of E[log q(z) + ½ z²] in all its parameters."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.probability import flows, noise

LENGTH, DIM, ROWS = 80, 64, 100
FAMILY = flows.planar(LENGTH)


def loss_and_gradient(params, seed):
    with tf.GradientTape() as tape:
        tape.watch(params)
        q = FAMILY.distribution(params)
        z = q.sample(seed=seed)
        loss = tf.reduce_mean(q.log_prob(z) + 0.5 * tf.reduce_sum(z**2, axis=-1))
    return loss, tape.gradient(loss, params)


def step(recorded, xla=False):
    params = tf.constant(np.load(recorded)["params"])
    compiled = tf.function(loss_and_gradient, jit_compile=xla)
    return worker.repeated(lambda: compiled(params, noise.seed(0))[0].numpy())


def record_step(path):
    """Writes parameters and noise to `path`; loss and norm of the gradient."""
    params = tf.constant(np.random.default_rng(0).normal(scale=0.1, size=[ROWS, FAMILY.num_params(DIM)]), tf.float32)
    np.savez(path, params=params, noise=noise.normal([ROWS, DIM], noise.seed(0)))
    loss, gradient = loss_and_gradient(params, noise.seed(0))
    return {"loss": float(loss), "gradient_norm": float(tf.norm(gradient))}


if __name__ == "__main__":
    worker.serve(
        {"step": step}, {"record_step": record_step}, {"tensorflow": tf.__version__, "keras": keras.__version__}
    )
