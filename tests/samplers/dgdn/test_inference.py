"""Chains over maps and codes against exact posteriors, by trying all maps of models that have few."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.samplers.dgdn import reference
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import inference, sweep
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Prior

# Two blocks of four cells, which may be blank, drawn one after the other; three of one colour; two blocks below two
# more, whose padding is cropped.
NETWORKS = {
    "one_layer_of_maps": (networks.Config((1, 1), (2, 1), (2,), zero_blocks=True), (5, 3, 1)),
    "blocks_drawn_together": (networks.Config((1, 1), (1, 1), (2,), zero_blocks=True), (2, 6, 1)),
    "two_layers_of_maps": (networks.Config((1, 2, 1), (2, 1, 1), (2, 2), zero_blocks=True), (5, 3, 1)),
}


def model(name):
    network, image_shape = NETWORKS[name]
    geometry = Geometry.of(image_shape, network)
    shared = sweep.first_global(geometry, 0, np.inf, noise.seed(3))
    shared = shared._replace(noise_precision=tf.constant(1.2), code_precision=tf.constant(0.7))
    image = np.random.default_rng(2).normal(size=image_shape).astype(np.float32)
    return geometry, shared, image


def exact(geometry, shared, image, prior):
    """({maps: log p(x, u)}, log p(x)), maps flat."""
    shapes = [geometry.map_shape(layer) for layer in range(geometry.num_pooled)]
    sizes, found = [int(np.prod(shape)) for shape in shapes], {}
    ranges = [range(n) for n, size in zip(geometry.outcomes, sizes) for _ in range(size)]
    dictionaries = [d.numpy() for d in shared.dictionaries]
    for flat in itertools.product(*ranges):
        parts = np.split(np.array(flat), np.cumsum(sizes)[:-1])
        tried = [part.reshape(shape) for part, shape in zip(parts, shapes)]
        log_p = reference.log_evidence(geometry, image, dictionaries, tried, 1.2, 0.7)
        for layer, u in enumerate(tried):
            a = prior.concentration or 1 / geometry.levels[layer].block ** 2
            for k in range(u.shape[-1]):
                counts = np.bincount(u[..., k].ravel(), minlength=geometry.outcomes[layer])
                log_p += reference.log_dirichlet_multinomial(counts, a)
        found[flat] = log_p
    values = np.array([*found.values()])
    return found, values.max() + np.log(np.exp(values - values.max()).sum())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_chain_has_the_exact_posterior_of_the_maps(name):
    geometry, shared, image = model(name)
    found, log_p_x = exact(geometry, shared, image, Prior())
    num, sweeps = 4000, 60
    data = Data(tf.constant(np.repeat(image[None], num, axis=0)), tf.zeros([num, 0]))

    @tf.function(jit_compile=True, autograph=False)
    def chain(local):
        def step(t, local, kept):
            local = sweep.local_sweep(geometry, Prior(), shared, local, data, noise.seed(4, t)).local
            flat = tf.concat([tf.reshape(u, [num, -1]) for u in local.maps], axis=1)
            return t + 1, local, tf.tensor_scatter_nd_update(kept, [[t]], flat[None])

        numbers = sum(int(np.prod(geometry.map_shape(layer))) for layer in range(geometry.num_pooled))
        start = (tf.constant(0), local, tf.zeros([sweeps, num, numbers], tf.uint8))
        return tf.while_loop(lambda t, *_: t < sweeps, step, start)[2]

    kept = chain(sweep.first_local(geometry, num, noise.seed(5))).numpy()[20:]
    flat = kept.reshape(-1, kept.shape[-1])
    exact_probs = np.exp(np.array([*found.values()]) - log_p_x)
    code = {flat: index for index, flat in enumerate(found)}
    rows, counts = np.unique(flat, axis=0, return_counts=True)
    drawn = np.zeros(len(found))
    drawn[[code[tuple(int(u) for u in row)] for row in rows]] = counts / len(flat)
    assert 0.5 * np.abs(drawn - exact_probs).sum() < 0.04  # Total variation; 0.025 are noise of 160,000 draws.


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bound_is_below_the_evidence_and_close(name):
    geometry, shared, image = model(name)
    _, log_p_x = exact(geometry, shared, image, Prior())
    images = tf.constant(image[None])

    @tf.function(autograph=False)
    def weights():
        found = inference.infer(geometry, Prior(), shared, images, inference.Schedule(20, 200), noise.seed(6))
        return inference.log_weights(geometry, Prior(), shared, images, found, 3000, noise.seed(7))

    log_w = weights().numpy()[:, 0].astype(np.float64)
    error = log_w.std() / np.sqrt(len(log_w))
    assert log_w.mean() < log_p_x + 3 * error
    assert log_w.mean() > log_p_x - 1.5
    # Importance weights are unbiased for p(x) itself, whatever q is.
    ratio = np.exp(log_w - log_p_x)
    np.testing.assert_allclose(ratio.mean(), 1.0, atol=4 * ratio.std() / np.sqrt(len(ratio)))


def test_the_evidence_of_given_maps_is_that_of_a_gaussian():
    geometry, shared, image = model("one_layer_of_maps")
    positions = np.array([1, 3]).reshape(1, *geometry.map_shape(0))
    found = inference.log_evidence(geometry, shared, tf.constant(image[None]), [tf.constant(positions)])
    dictionaries = [d.numpy() for d in shared.dictionaries]
    expected = reference.log_evidence(geometry, image, dictionaries, [positions[0]], 1.2, 0.7)
    np.testing.assert_allclose(found, [expected], rtol=1e-4)


def test_with_one_row_of_noise_an_answer_does_not_depend_on_its_batch():
    geometry, shared, image = model("two_layers_of_maps")
    images = tf.constant(np.stack([image, 2 * image, -image]))
    schedule = inference.Schedule(2, 3)
    together = inference.infer(geometry, Prior(), shared, images, schedule, noise.seed(1), rows=1)
    alone = inference.infer(geometry, Prior(), shared, images[1:2], schedule, noise.seed(1), rows=1)
    np.testing.assert_allclose(together.codes[:, 1:2], alone.codes, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(together.counts[0][1:2], alone.counts[0])


def test_the_most_probable_code_of_a_model_without_maps_is_its_posterior_mean():
    geometry = Geometry.of((4, 4, 1), networks.Config((2,), (2,), ()))
    shared = sweep.first_global(geometry, 0, np.inf, noise.seed(3))
    image = tf.constant(np.random.default_rng(0).normal(size=[2, 4, 4, 1]), tf.float32)
    found, log_variance = inference.map_code(geometry, Prior(), shared, image, inference.Schedule(1, 2), noise.seed(1))
    a = reference.effects(geometry, [d.numpy() for d in shared.dictionaries], [])
    expected = np.linalg.solve(np.eye(len(a)) + a @ a.T, a @ image.numpy().reshape(2, -1).T).T
    np.testing.assert_allclose(found, expected, atol=1e-3)
    covariance = np.linalg.inv(np.eye(len(a)) + a @ a.T)
    np.testing.assert_allclose(np.exp(log_variance), [np.diag(covariance)] * 2, rtol=1e-3)
