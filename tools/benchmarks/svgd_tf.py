"""Our SVGD direction."""

import numpy as np
import svgd_data
import tensorflow as tf
import worker

from tfvae.probability import svgd


def direction(points, particles, dim, xla, bandwidth):
    z, scores = map(tf.constant, svgd_data.particles_and_scores(points, particles, dim))
    call = tf.function(lambda z, s: svgd.direction(z, s, bandwidth=bandwidth), jit_compile=xla)
    return worker.repeated(lambda: call(z, scores))


def score_and_direction(points, particles, dim):
    z, _ = map(tf.constant, svgd_data.particles_and_scores(points, particles, dim))
    weights, image = svgd_data.decoder(dim)
    w1, w2, w3 = map(tf.constant, weights)
    x = tf.constant(image[:points])

    @tf.function(jit_compile=True)
    def call(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            logits = tf.tanh(tf.tanh(z @ w1) @ w2) @ w3
            log_p = -tf.reduce_sum(tf.nn.softplus(logits) - x * logits) - 0.5 * tf.reduce_sum(z**2)
        return svgd.direction(z, tape.gradient(log_p, z))

    return worker.repeated(lambda: call(z))


def norm(points, particles, dim):
    z, scores = map(tf.constant, svgd_data.particles_and_scores(points, particles, dim))
    return float(np.linalg.norm(svgd.direction(z, scores)))


def memory(**sizes):
    return worker.memory_mib(lambda: direction(**sizes, xla=True, bandwidth="median"))


if __name__ == "__main__":
    cases = {"direction": direction, "score_and_direction": score_and_direction}
    worker.serve(cases, {"norm": norm, "memory": memory}, {"tensorflow": tf.__version__})
