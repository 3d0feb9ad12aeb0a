"""Conditionals of clusters: Geweke's test of the chain over everything but the codes' images, and a planted mixture."""

import numpy as np
import tensorflow as tf

from tests.samplers.dgdn import joint
from tests.samplers.dgdn.test_learners import Weights
from tfvae.batch import DataInfo
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import chain, clusters, inference, sweep, top
from tfvae.samplers.dgdn import state as states
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.gibbs import Gibbs

NUM, DIM = 6, 3
PRIOR = clusters.Prior(4, mass=(3.0, 3.0), precision=(5.0, 5.0))


def sticks_from_the_prior(rng):
    mass = rng.gamma(PRIOR.mass[0]) / PRIOR.mass[1]
    v = np.append(rng.beta(1.0, mass, PRIOR.num - 1), 1.0)
    weights = v * np.append(1.0, np.cumprod(1.0 - v[:-1]))
    return np.log(np.maximum(weights, 1e-30)), mass, rng.choice(PRIOR.num, NUM, p=weights)


def gaussian_statistics(sticks, cluster, gaussians, code):
    return tf.stack(
        [
            tf.math.log(sticks.mass), sticks.log_weights[0], tf.cast(cluster[0] == cluster[1], tf.float32),
            tf.math.log(gaussians.precisions[0]), tf.tanh(gaussians.means[0, 0] * gaussians.means[1, 0]),
            tf.math.log(tf.reduce_sum(code**2)),
        ]
    )  # fmt: skip


def test_a_mixture_of_gaussians_passes_geweke_and_a_forgotten_prior_fails():
    """A sweep over sticks, Gaussians and assignments, then new codes. The control takes μ's precision without its 1."""

    def draw(rng):
        log_weights, mass, cluster = sticks_from_the_prior(rng)
        means, precisions = rng.normal(size=[PRIOR.num, DIM]), rng.gamma(PRIOR.precision[0], size=PRIOR.num)
        precisions /= PRIOR.precision[1]
        code = means[cluster] + rng.normal(size=[NUM, DIM]) / np.sqrt(precisions[cluster])[:, None]
        return log_weights, mass, cluster.astype(np.int32), means, precisions, code

    def packed(log_weights, mass, cluster, means, precisions, code):
        return clusters.Sticks(log_weights, mass), cluster, clusters.Gaussians(means, precisions), code

    def one(state, seed, wrong):
        sticks, cluster, gaussians, code = state
        seeds = noise.split(seed, 4)
        sticks = clusters.redraw_sticks(cluster, sticks, PRIOR, seeds[0])
        before = gaussians
        gaussians = clusters.redraw_gaussians(code, cluster, gaussians, PRIOR, seeds[1])
        num = tf.reduce_sum(tf.one_hot(cluster, PRIOR.num), axis=0)
        ratio = (1.0 + num * before.precisions) / (0.3 + num * before.precisions)
        gaussians = gaussians._replace(means=gaussians.means * tf.where(wrong, ratio, 1.0)[:, None])
        cluster = clusters.assign(sticks, clusters.log_gaussians(code, gaussians), seeds[2])
        deviation = tf.math.rsqrt(tf.gather(gaussians.precisions, cluster))[:, None]
        code = tf.gather(gaussians.means, cluster) + deviation * noise.normal([NUM, DIM], seeds[3])
        return sticks, cluster, gaussians, code

    joint.check(draw, packed, one, gaussian_statistics)


def usage_statistics(sticks, cluster, usages, on):
    return tf.stack(
        [
            tf.math.log(sticks.mass), sticks.log_weights[0], tf.cast(cluster[0] == cluster[1], tf.float32),
            tf.exp(usages.log_base[0] / DIM), tf.exp(usages.log_on[0, 0]), tf.reduce_mean(on),
        ]
    )  # fmt: skip


def test_a_mixture_of_usages_passes_geweke_and_a_slice_of_another_density_fails(monkeypatch):
    """A sweep over sticks, usages and assignments, then new indicators. In the control η ignores its likelihood."""

    def draw(rng):
        log_weights, mass, cluster = sticks_from_the_prior(rng)
        log_base = np.log(rng.beta(1 / DIM, 1 - 1 / DIM, DIM))
        usage = rng.beta(np.exp(log_base), 1 - np.exp(log_base), [PRIOR.num, DIM])
        usage = np.clip(usage, 1e-30, 1 - 1e-7)
        on = rng.random([NUM, DIM]) < usage[cluster]
        return log_weights, mass, cluster.astype(np.int32), np.log(usage), np.log1p(-usage), log_base, on

    def packed(log_weights, mass, cluster, log_on, log_off, log_base, on):
        return clusters.Sticks(log_weights, mass), cluster, clusters.Usages(log_on, log_off, log_base), on

    def one(state, seed, wrong):
        monkeypatch.setattr(clusters, "_log_rising", lambda *args: tf.where(wrong, 0.0, log_rising(*args)))
        sticks, cluster, usages, on = state
        seeds = noise.split(seed, 4)
        sticks = clusters.redraw_sticks(cluster, sticks, PRIOR, seeds[0])
        usages = clusters.redraw_usages(on, cluster, usages, PRIOR, seeds[1])
        cluster = clusters.assign(sticks, clusters.log_usages(on, usages), seeds[2])
        u = noise.uniform([NUM, DIM], seeds[3])
        on = tf.cast(u < tf.exp(tf.gather(usages.log_on, cluster)), tf.float32)
        return sticks, cluster, usages, on

    log_rising = clusters._log_rising
    joint.check(draw, packed, one, usage_statistics)


def test_the_whole_model_passes_geweke_and_codes_that_forget_their_cluster_fail(monkeypatch):
    """A sweep over everything, then new images. In the control codes are drawn around 0."""
    geometry = Geometry.of((3, 3, 1), networks.Config((2,), (2,), ()))
    prior = states.Prior(noise=(8.0, 16.0), clusters=PRIOR)
    shape, dim = geometry.code_shape, geometry.code_dim
    around = clusters.around

    def draw(rng):
        log_weights, mass, cluster = sticks_from_the_prior(rng)
        means, precisions = rng.normal(size=[PRIOR.num, dim]), rng.gamma(PRIOR.precision[0], size=PRIOR.num)
        precisions /= PRIOR.precision[1]
        code = means[cluster] + rng.normal(size=[NUM, dim]) / np.sqrt(precisions[cluster])[:, None]
        dictionary, noise_precision = rng.normal(size=geometry.dictionary_shape(0)), rng.gamma(8.0) / 16.0
        code = code.reshape([NUM, *shape]).astype(np.float32)
        image = geometry.fit(tf.constant(code), [tf.constant(dictionary, tf.float32)], []).numpy()
        image = image + rng.normal(size=image.shape) / np.sqrt(noise_precision)
        return log_weights, mass, cluster.astype(np.int32), means, precisions, code, dictionary, noise_precision, image

    def packed(log_weights, mass, cluster, means, precisions, code, dictionary, noise_precision, image):
        mixture = clusters.Mixture(clusters.Sticks(log_weights, mass), clusters.Gaussians(means, precisions))
        num = tf.shape(mass)
        one, none = tf.ones(num), tf.zeros(tf.concat([num, [dim + 1, 0]], axis=0))
        usage = tf.ones(tf.concat([num, [geometry.elements[-1]]], axis=0))
        shared = states.Global((dictionary,), noise_precision, one, usage, none, one, mixture)
        return shared, states.Local((), code, cluster), image

    def one(state, seed, wrong):
        def perhaps(mixture, cluster):
            right = around(mixture, cluster)
            return clusters.Around(tf.where(wrong, 0.0, right.means), right.precisions)

        monkeypatch.setattr(clusters, "around", perhaps)
        shared, local, image = state
        data, seeds = states.Data(image, tf.zeros([NUM, 0])), noise.split(seed, 3)
        local = sweep.local_sweep(geometry, prior, shared, local, data, seeds[0]).local
        swept = sweep.global_sweep(geometry, prior, shared, local, data, seeds[1])
        fit = geometry.fit(swept.local.code, swept.shared.dictionaries, [])
        image = fit + noise.normal(image.shape, seeds[2]) * tf.math.rsqrt(swept.shared.noise_precision)
        return swept.shared, swept.local, image

    def statistics(shared, local, image):
        code = tf.reshape(local.code, [NUM, dim])
        of_mixture = gaussian_statistics(shared.mixture.sticks, local.cluster, shared.mixture.components, code)
        others = [
            tf.math.log(shared.noise_precision), tf.math.log(tf.reduce_sum(image**2)),
            tf.math.log(tf.reduce_sum(shared.dictionaries[0] ** 2)),
        ]  # fmt: skip
        return tf.concat([of_mixture, tf.stack(others)], axis=0)

    joint.check(draw, packed, one, statistics, sweeps=5000, num=2000)


def test_planted_clusters_are_found(rng):
    """Three clouds, ten sticks: three of them are used, and no cloud is divided."""
    prior = clusters.Prior(10)
    label = np.arange(150) % 3
    code = tf.constant(np.array([[4, 0], [-4, 0], [0, 5]])[label] + rng.normal(size=[150, 2]) * 0.3, tf.float32)
    sticks = clusters.Sticks(tf.fill([10], tf.constant(-np.log(10.0), tf.float32)), tf.constant(1.0))
    gaussians = clusters.Gaussians(tf.constant(rng.normal(size=[10, 2]), tf.float32), tf.ones([10]))

    @tf.function(autograph=False)
    def redrawn(sticks, gaussians, seed):
        seeds = noise.split(seed, 3)
        cluster = clusters.assign(sticks, clusters.log_gaussians(code, gaussians), seeds[0])
        sticks = clusters.redraw_sticks(cluster, sticks, prior, seeds[1])
        return cluster, sticks, clusters.redraw_gaussians(code, cluster, gaussians, prior, seeds[2])

    for t in range(200):
        cluster, sticks, gaussians = redrawn(sticks, gaussians, noise.seed(0, t))
    most = [np.bincount(cluster.numpy()[label == k], minlength=10) for k in range(3)]
    assert len({np.argmax(counts) for counts in most}) == 3
    assert min(counts.max() for counts in most) >= 48


def test_the_evidence_of_a_cluster_is_that_of_the_image_with_its_code_summed_out(rng):
    geometry = Geometry.of((4, 4, 1), networks.Config((2, 3), (2, 1), (3,)))
    shared = sweep.first_global(geometry, 0, np.inf, noise.seed(1))._replace(noise_precision=tf.constant(1.3))
    image = tf.constant(rng.normal(size=[NUM, 4, 4, 1]), tf.float32)
    positions = sweep.first_local(geometry, NUM, noise.seed(2)).maps
    gaussians = clusters.Gaussians(
        tf.constant(rng.normal(size=[4, geometry.code_dim]), tf.float32), tf.constant([0.5, 1.0, 2.0, 9.0])
    )
    mixture = clusters.Mixture(clusters.Sticks(tf.zeros([4]), tf.constant(1.0)), gaussians)
    seen = top.likelihood(geometry, shared, states.Data(image, tf.zeros([NUM, 0])), positions)
    found = clusters.log_evidence(*seen, gaussians)
    expected = tf.stack(
        [
            inference.log_evidence(
                geometry, shared, image, positions, around=clusters.around(mixture, tf.fill([NUM], j))
            )
            for j in range(4)
        ],
        axis=1,
    )
    np.testing.assert_allclose(found - found[:, :1], expected - expected[:, :1], rtol=1e-3, atol=1e-3)


def test_a_chain_finds_groups_of_images(rng):
    """Where noise leaves codes nearly their prior, draws of them know no group; images with codes summed out do."""
    geometry = Geometry.of((6, 6, 1), networks.Config((4,), (6,), ()))
    label = np.arange(90) % 3
    patterns = np.kron(np.eye(3), np.ones([1, 12])).reshape(3, 6, 6, 1)
    image = tf.constant(0.8 * patterns[label] + 0.5 * rng.normal(size=[90, 6, 6, 1]), tf.float32)
    weights = Weights(geometry, 0)
    dim, prior = geometry.code_dim, clusters.Prior(6)
    weights.shared = weights.shared._replace(mixture=clusters.first(dim, 4, prior, noise.seed(0)))
    one = Gibbs(
        geometry, states.Prior(max_noise_precision=4.0, clusters=prior), chain.Course(), DataInfo((6, 6, 1), 0, 90, 0),
        0, 90, weights, begin_clusters=10,
    )  # fmt: skip
    step = tf.function(one.step, autograph=False)
    state, batch = one.init(noise.seed(2)), {"unlabelled": {"image": image, "row": tf.range(90)}}
    for t in range(80):
        state = step(state, batch, noise.seed(4, t))
        if t == 8:
            assert np.ptp(state.shared.mixture.components.means) == 0.0, "they begin with the tenth sweep"
    most = [np.bincount(state.local.cluster.numpy()[label == k], minlength=6) for k in range(3)]
    assert len({np.argmax(counts) for counts in most}) == 3
    assert min(counts.max() for counts in most) >= 27
