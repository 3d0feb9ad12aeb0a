"""Every full conditional against the model written block by block in NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.samplers.dgdn import reference
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import dictionary, maps, precisions, svm, sweep, top
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Prior

NUM = 3
# Layers, blocks that do not tile, colours, and blocks that may be blank.
NETWORKS = {
    "one_layer": (networks.Config((2,), (3,), ()), (6, 5, 2)),
    "two_layers": (networks.Config((2, 3), (2, 2), (2,), zero_blocks=True), (5, 5, 2)),
    "cropped": (networks.Config((3, 2), (3, 1), (3,)), (6, 8, 1)),
    "three_layers": (networks.Config((2, 3, 2), (2, 2, 1), (2, 2), zero_blocks=True), (8, 7, 1)),
}
every_network = pytest.mark.parametrize("name", NETWORKS)
with_maps = pytest.mark.parametrize("name", ["two_layers", "cropped", "three_layers"])


def state_of(name, num_classes=2):
    """(geometry, `Global`, `Local`, `Data`) of random numbers."""
    network, image_shape = NETWORKS[name]
    geometry, rng = Geometry.of(image_shape, network), np.random.default_rng(0)
    shared = sweep.first_global(geometry, num_classes, np.inf, noise.seed(1))
    beta = rng.normal(size=[geometry.code_dim + 1, num_classes])
    shared = shared._replace(noise_precision=tf.constant(1.7), code_precision=tf.constant(0.6))
    shared = shared._replace(beta=tf.constant(beta, tf.float32))
    local = sweep.first_local(geometry, NUM, noise.seed(2))
    local = local._replace(code=tf.constant(rng.normal(size=[NUM, *geometry.code_shape]), tf.float32))
    sign = np.array([[1, -1], [0, 0], [-1, 1]])[:, :num_classes]
    image = rng.normal(size=[NUM, *image_shape])
    return geometry, shared, local, Data(tf.constant(image, tf.float32), tf.constant(sign, tf.float32))


def maps_of(local, n):
    return [u[n].numpy() for u in local.maps]


def fits(geometry, shared, local):
    return np.stack(
        [
            reference.fit(geometry, local.code[n], [d.numpy() for d in shared.dictionaries], maps_of(local, n))
            for n in range(NUM)
        ]
    )


@every_network
def test_the_fit_is_that_of_the_definition(name):
    geometry, shared, local, data = state_of(name)
    residual = sweep.residual_of(geometry, shared, local, data)
    np.testing.assert_allclose(residual, data.image - fits(geometry, shared, local), atol=1e-4)


@with_maps
def test_the_residual_is_kept_by_steps_of_the_maps(name):
    geometry, shared, local, data = state_of(name)
    masks, residual = geometry.masks(local.maps), sweep.residual_of(geometry, shared, local, data)
    values = geometry.pooled(local.code, shared.dictionaries, masks)
    for layer in range(geometry.num_pooled):
        log_theta = tf.zeros([NUM, geometry.elements[layer], geometry.outcomes[layer]])
        positions = list(local.maps)
        positions[layer], residual = maps.redraw(
            geometry, layer, values[layer], positions[layer], residual, log_theta, shared, geometry.masks(positions),
            noise.seed(3),
        )  # fmt: skip
        assert (positions[layer] != local.maps[layer]).numpy().any()
        local = local._replace(maps=tuple(positions))
        expected = sweep.residual_of(geometry, shared, local, data)
        np.testing.assert_allclose(residual, expected, atol=1e-4)


@every_network
def test_the_residual_is_kept_by_steps_of_the_code_the_dictionaries_and_the_scales(name):
    geometry, shared, local, data = state_of(name)
    residual = sweep.residual_of(geometry, shared, local, data)
    pulls = svm.pulls(local.code, data, shared, Prior(), noise.seed(4))
    shared = shared._replace(usage=tf.fill([geometry.elements[-1]], 0.5))
    code, residual = top.spike_and_slab(
        geometry, shared, local.code, residual, geometry.masks(local.maps), noise.seed(5), pulls
    )
    local = local._replace(code=code)
    np.testing.assert_allclose(residual, sweep.residual_of(geometry, shared, local, data), atol=1e-4)
    shared, residual, _ = sweep.redraw_dictionaries(geometry, shared, local, data, noise.seed(6))
    np.testing.assert_allclose(residual, sweep.residual_of(geometry, shared, local, data), atol=1e-4)
    shared = shared._replace(dictionaries=precisions.rescale(shared.dictionaries, noise.seed(7))[0])
    np.testing.assert_allclose(residual, sweep.residual_of(geometry, shared, local, data), atol=1e-4)
    dictionaries, code = precisions.rescale_top(shared.dictionaries, local.code, shared.code_precision, noise.seed(8))
    shared, local = shared._replace(dictionaries=dictionaries), local._replace(code=code)
    np.testing.assert_allclose(residual, sweep.residual_of(geometry, shared, local, data), atol=1e-4)


@with_maps
def test_logits_of_a_block_are_those_of_every_outcome_tried(name, monkeypatch):
    """With noise taken out a block goes to the outcome of largest probability, which is found by trying all."""
    geometry, shared, local, data = state_of(name)
    monkeypatch.setattr(maps.conjugate, "gumbel", lambda shape, seed: tf.zeros(shape))
    rng, dictionaries = np.random.default_rng(1), [d.numpy() for d in shared.dictionaries]
    for layer in range(geometry.num_pooled):
        count = geometry.elements[layer]
        log_theta = rng.normal(size=[NUM, count, geometry.outcomes[layer]]).astype(np.float32)
        masks = geometry.masks(local.maps)
        drawn, _ = maps.redraw(
            geometry, layer, geometry.pooled(local.code, shared.dictionaries, masks)[layer], local.maps[layer],
            sweep.residual_of(geometry, shared, local, data), tf.constant(log_theta), shared, masks, noise.seed(0),
        )  # fmt: skip
        colour, num_colours = geometry.colours(layer)
        for n in range(NUM):
            tried = maps_of(local, n)
            for k, c in itertools.product(range(count), range(num_colours)):
                for i, j in zip(*np.nonzero(colour == c)):
                    scores = []
                    for q in range(geometry.outcomes[layer]):
                        tried[layer][i, j, k] = q
                        error = data.image[n] - reference.fit(geometry, local.code[n], dictionaries, tried)
                        scores.append(log_theta[n, k, q] - 0.5 * 1.7 * np.sum(error**2))
                    tried[layer][i, j, k] = np.argmax(scores)
            np.testing.assert_array_equal(drawn[n], tried[layer])


def test_without_feedback_labels_do_not_move_codes():
    geometry, shared, local, data = state_of("three_layers")
    unlabelled = data._replace(sign=data.sign[:, :0])
    cut = sweep.local_sweep(geometry, Prior(feedback=False), shared, local, data, noise.seed(3)).local
    bare = sweep.local_sweep(geometry, Prior(), shared, local, unlabelled, noise.seed(3)).local
    labelled = sweep.local_sweep(geometry, Prior(), shared, local, data, noise.seed(3)).local
    np.testing.assert_array_equal(cut.code, bare.code)
    assert np.abs(labelled.code - bare.code).max() > 1e-3


@every_network
def test_the_code_has_the_posterior_of_a_linear_gaussian_model(name):
    geometry, shared, local, data = state_of(name)
    pulls = svm.pulls(local.code, data, shared, Prior(), noise.seed(4))
    precision, shift = top.posterior(top.likelihood(geometry, shared, data, local.maps, pulls), shared.code_precision)
    beta = shared.beta.numpy().astype(np.float64)
    for n in range(NUM):
        a = reference.effects(geometry, [d.numpy() for d in shared.dictionaries], maps_of(local, n))
        weight, target = pulls.weight[n].numpy(), pulls.target[n].numpy()
        expected = 0.6 * np.eye(len(a)) + 1.7 * a @ a.T + (beta[:-1] * weight) @ beta[:-1].T
        np.testing.assert_allclose(precision[n], expected, rtol=1e-3, atol=1e-3)
        expected = 1.7 * a @ data.image[n].numpy().ravel() + beta[:-1] @ (weight * (target - beta[-1]))
        np.testing.assert_allclose(shift[n], expected, rtol=1e-3, atol=1e-3)
    assert pulls.weight[1].numpy().max() == 0.0, "an image without a label is pulled"


@every_network
def test_statistics_of_a_slice_are_those_of_its_design(name):
    """Column a of the design is what the images gain by a unit at tap a, all else being fixed."""
    geometry, shared, local, data = state_of(name)
    masks = geometry.masks(local.maps)
    for layer in range(geometry.num_layers):
        activations = geometry.activations(local.code, shared.dictionaries, masks)[layer]
        residual = sweep.residual_of(geometry, shared, local, data)
        _, _, found = dictionary.redraw(geometry, layer, activations, residual, shared, local.maps, noise.seed(1))
        shape = geometry.dictionary_shape(layer)
        last = shape[2] - 1, shape[3] - 1
        for c, k in {(0, 0), last}:
            design = []
            for a in range(shape[0] ** 2):
                unit = np.zeros(shape, np.float32)
                unit[a // shape[0], a % shape[0], c, k] = 1.0
                changed = [*shared.dictionaries]
                changed[layer] = tf.constant(unit)
                design.append(fits(geometry, shared._replace(dictionaries=changed), local).ravel())
            design = np.stack(design)
            np.testing.assert_allclose(found.gram[c, k], design @ design.T, rtol=1e-3, atol=1e-3)
            if (c, k) == (0, 0):  # Before any other slice has moved.
                now = shared.dictionaries[layer][:, :, c, k].numpy().ravel()
                expected = design @ residual.numpy().ravel() + design @ design.T @ now
                np.testing.assert_allclose(found.along[c, k], expected, rtol=1e-3, atol=1e-3)


def test_statistics_of_before_are_weighed_by_forgetting():
    geometry, shared, local, data = state_of("two_layers")
    draw = lambda before, forgetting: sweep.redraw_dictionaries(  # noqa: E731
        geometry, shared, local, data, noise.seed(2), before, forgetting
    )
    _, _, alone = draw(None, 1.0)
    _, _, together = draw(alone, 0.5)
    top_layer = geometry.num_layers - 1  # Drawn first, so that the rest of the state is the same.
    np.testing.assert_allclose(together[top_layer].gram, 1.5 * alone[top_layer].gram, rtol=1e-5)


def test_statistics_follow_the_scales():
    """Those of rescaled dictionaries are those that the rescaled state has."""
    geometry, shared, local, data = state_of("three_layers")
    masks, residual = geometry.masks(local.maps), sweep.residual_of(geometry, shared, local, data)

    def of(shared):
        activations = geometry.activations(local.code, shared.dictionaries, masks)
        return [
            dictionary.redraw(geometry, layer, activations[layer], residual, shared, local.maps, noise.seed(1))[2].gram
            for layer in range(geometry.num_layers)
        ]

    changed, scales = precisions.rescale(shared.dictionaries, noise.seed(2))
    before, after = of(shared), of(shared._replace(dictionaries=changed))
    for layer, (gram, c_own, c_below) in enumerate(zip(before, [*scales, None], [None, *scales])):
        followed = dictionary.Statistics(gram, gram[..., 0]).scaled(c_own, c_below)
        np.testing.assert_allclose(followed.gram, after[layer], rtol=1e-3, atol=1e-5)


def test_blocks_of_one_colour_reach_no_pixel_in_common():
    for network, image_shape in NETWORKS.values():
        geometry = Geometry.of(image_shape, network)
        for layer in range(geometry.num_pooled):
            colour, num = geometry.colours(layer)
            rows, columns = geometry.reach(layer)
            for c in range(num):
                covered = sum(np.outer(rows[i], columns[j]) for i, j in zip(*np.nonzero(colour == c)))
                assert covered.max() == 1.0


def test_the_colours_of_mnist():
    """Elements of 8×8 and blocks of 3×3 on 28×28: every fourth block, 16 colours for 49 blocks."""
    geometry = Geometry.of((28, 28, 1), networks.Config((39, 117), (8, 6), (3,)))
    assert geometry.colours(0)[1] == 16


def test_a_layer_of_one_block_a_cell_draws_the_only_map_there_is():
    geometry = Geometry.of((6, 6, 1), networks.Config((2, 2), (3, 2), (1,)))
    shared = sweep.first_global(geometry, 0, np.inf, noise.seed(1))
    local = sweep.first_local(geometry, 2, noise.seed(2))
    data = Data(tf.random.stateless_normal([2, 6, 6, 1], [1, 2]), tf.zeros([2, 0]))
    swept = sweep.local_sweep(geometry, Prior(), shared, local, data, noise.seed(3))
    assert not swept.local.maps[0].numpy().any()


def test_the_spike_is_drawn_with_the_slab_summed_out():
    """The share of draws that are on is the posterior odds of two Gaussians that differ by the map's covariance."""
    network = networks.Config((2,), (2,), ())
    geometry = Geometry.of((3, 3, 1), network)
    shared = sweep.first_global(geometry, 0, np.inf, noise.seed(1))
    shared = shared._replace(noise_precision=tf.constant(1.5), usage=tf.constant([0.3, 0.6]))
    num, rng = 4000, np.random.default_rng(0)
    x = rng.normal(size=[1, 3, 3, 1])
    image = tf.constant(np.repeat(x, num, axis=0), tf.float32)
    code = tf.constant(np.repeat(rng.normal(size=[1, *geometry.code_shape]), num, axis=0), tf.float32)
    residual = image - geometry.fit(code, shared.dictionaries, [])
    drawn, _ = top.spike_and_slab(geometry, shared, code, residual, [], noise.seed(2))
    a = reference.effects(geometry, [d.numpy() for d in shared.dictionaries], [])
    first = a.reshape(2, 2, 2, -1)[..., 0, :].reshape(4, -1)
    others = reference.fit(geometry, code[0].numpy() * [0.0, 1.0], [d.numpy() for d in shared.dictionaries], [])
    left = (x[0] - others).ravel()

    def log_normal(covariance):
        return -0.5 * (left @ np.linalg.solve(covariance, left) + np.linalg.slogdet(covariance)[1])

    log_odds = np.log(0.3 / 0.7) + log_normal(np.eye(9) / 1.5 + first.T @ first) - log_normal(np.eye(9) / 1.5)
    share = (drawn[..., 0].numpy() != 0).any(axis=(1, 2)).mean()
    np.testing.assert_allclose(share, 1 / (1 + np.exp(-log_odds)), atol=0.03)


def test_classifiers_find_a_plane():
    """β by Gibbs on two classes a plane apart, with a constant: the mean decision has the labels' signs."""
    rng = np.random.default_rng(0)
    code = rng.normal(size=[200, 1, 1, 2]).astype(np.float32)
    sign = np.where(code[:, 0, 0, :1] + 0.5 > 0, 1.0, -1.0).astype(np.float32)
    geometry = Geometry.of((2, 2, 1), networks.Config((2,), (2,), ()))
    shared = sweep.first_global(geometry, 1, np.inf, noise.seed(1))
    local = sweep.first_local(geometry, 200, noise.seed(2))._replace(code=tf.constant(code))
    data = Data(tf.zeros([200, 2, 2, 1]), tf.constant(sign))

    @tf.function
    def step(shared, seed):
        pulls = svm.pulls(local.code, data, shared, Prior(), noise.fold_in(seed, 0))
        beta, kappa = svm.beta(shared, Prior(), svm.Statistics.of(local.code, pulls), noise.fold_in(seed, 1))
        return shared._replace(beta=beta, kappa=kappa)

    total = np.zeros([3, 1])
    for i in range(150):
        shared = step(shared, noise.seed(3, i))
        total += shared.beta.numpy() * (i >= 50)
    decision = code[:, 0, 0] @ total[:2] + total[2]
    assert (np.sign(decision) == sign).mean() > 0.95
    assert np.isfinite(shared.kappa)


def test_a_code_that_is_off_everywhere_has_a_precision():
    """Of the diffuse prior alone, whose draws are 0 in any arithmetic: the scale of the code would be infinite."""
    off = precisions.Squares.of_code(tf.zeros([3, 2, 2, 4]))
    drawn = precisions.code_precision(off, Prior(code=(1e-6, 1e-6)), noise.seed(0))
    assert float(drawn) > 0 and np.isfinite(tf.math.rsqrt(drawn))
