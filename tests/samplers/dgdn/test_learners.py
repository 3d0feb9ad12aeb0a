"""The three learners: what they find, that one is the other's limit, and batches they refuse."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import chain, sweep
from tfvae.samplers.dgdn.bcdf import Bcdf
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.gibbs import Gibbs
from tfvae.samplers.dgdn.mcem import Mcem
from tfvae.samplers.dgdn.state import Data, Prior

NUM = 40
GEOMETRY = Geometry.of((11, 11, 1), networks.Config((2, 2), (3, 1), (3,)))
INFO = DataInfo((11, 11, 1), 3, NUM, NUM)


class Weights:
    """In the place of a model's variables."""

    def __init__(self, geometry, num_classes, seed=1):
        self.shared = sweep.first_global(geometry, num_classes, np.inf, noise.seed(seed))

    def read(self):
        return self.shared

    def write(self, shared, usual):
        self.shared, self.usual = shared, usual


def learner(kind, prior=None, num_classes=0, course=None, **fields):
    prior = prior or Prior(max_noise_precision=10_000.0)
    weights = Weights(GEOMETRY, num_classes)
    return kind(GEOMETRY, prior, course or chain.Course(), INFO, num_classes, NUM, weights, **fields)


@pytest.fixture(scope="module")
def planted():
    """(images of a known dictionary, that dictionary)."""
    rng = np.random.default_rng(3)
    dictionary = np.zeros([3, 3, 1, 2], np.float32)
    dictionary[1, :, 0, 0] = dictionary[:, 1, 0, 1] = 1.0  # A bar across and one upright.
    dictionary[0, 0, 0, 0] = dictionary[2, 2, 0, 1] = -0.7
    maps = tf.constant(rng.integers(0, 9, [NUM, *GEOMETRY.map_shape(0)]), tf.uint8)
    code = tf.constant(rng.normal(size=[NUM, *GEOMETRY.code_shape]) * 2.0, tf.float32)
    mixing = tf.reshape(tf.eye(2), [1, 1, 2, 2])
    image = GEOMETRY.fit(code, [tf.constant(dictionary), mixing], GEOMETRY.masks([maps]))
    # So small that at first, with a noise precision of 1, hardly a block is sure of its place.
    return 0.1 * image + 0.01 * rng.normal(size=image.shape).astype(np.float32), dictionary


def batch_of(image, rows):
    label = tf.constant(rows % 3)
    return {"labelled": {"image": tf.gather(image, rows), "label": label, "row": tf.constant(rows)}}


def run(learner, image, num, size=NUM):
    """The states after every step."""
    step = tf.function(learner.step, autograph=False)
    state, states = learner.init(noise.seed(2)), []
    for t in range(num):
        rows = (np.arange(size) + t * size) % NUM
        state = step(state, batch_of(image, rows), noise.seed(4, t))
        states.append(state)
    return states


def test_a_planted_dictionary_is_found_up_to_sign_scale_and_order(planted):
    """By the chain that fits best of three short ones: maps lock, often where elements are moved by a cell."""
    image, dictionary = planted
    one = learner(Gibbs, course=chain.Course(ramp_steps=60))
    step = tf.function(one.step, autograph=False)

    def end(seed):
        state, batch = one.init(noise.seed(seed)), batch_of(image, np.arange(NUM))
        state = state._replace(shared=Weights(GEOMETRY, 0, seed + 1).shared._replace(noise_precision=tf.constant(1.0)))
        for t in range(80):
            state = step(state, batch, noise.seed(seed, t))
        return state

    def likeness(a, b):
        return abs(np.sum(a * b)) / np.linalg.norm(a) / np.linalg.norm(b)

    found = min(map(end, range(3)), key=lambda state: float(state.squared_error)).shared.dictionaries[0].numpy()
    best = max(
        min(likeness(found[..., order[k]], dictionary[..., k]) for k in range(2))
        for order in itertools.permutations(range(2))
    )
    assert best > 0.95


def test_bcdf_on_all_the_data_is_gibbs(planted):
    """The first step has nothing before it, and with forgetting 0 no later one has."""
    image, _ = planted
    bcdf = learner(Bcdf, num_classes=3, forgetting=0.0, local_sweeps=1)
    state = bcdf.init(noise.seed(2))
    batch = batch_of(image, np.arange(NUM))
    data = Data(image, 2.0 * tf.one_hot(np.arange(NUM) % 3, 3) - 1.0)
    for t in range(2):
        seed = noise.seed(4, t)
        first_seed, local_seed, global_seed = noise.split(seed, 3)
        local = sweep.first_local(GEOMETRY, NUM, first_seed)
        local = sweep.local_sweep(GEOMETRY, bcdf.prior, state.shared, local, data, local_seed).local
        gibbs = sweep.global_sweep(GEOMETRY, bcdf.prior, state.shared, local, data, global_seed).shared
        state = bcdf.step(state, batch, seed)
        for ours, its in zip(tf.nest.flatten(state.shared), tf.nest.flatten(gibbs)):
            np.testing.assert_allclose(ours, its, rtol=1e-4, atol=1e-5)


def test_bcdf_counts_what_it_saw(planted):
    image, _ = planted
    states = run(learner(Bcdf, forgetting=1.0, local_sweeps=2), image, 4, size=10)
    assert float(states[-1].statistics.residual.numbers) == 4 * 10 * 121


def test_the_objective_of_mcem_does_not_fall_beyond_its_noise(planted):
    image, _ = planted
    states = run(learner(Mcem, Prior(max_noise_precision=1000.0), 3, learning_rate=0.01), image, 60)
    objective = np.array([float(state.objective) for state in states]).reshape(6, 10)[1:]
    noise_of_mean = objective.std(axis=1).max() / np.sqrt(10)
    assert (np.diff(objective.mean(axis=1)) > -4 * noise_of_mean).all(), objective.mean(axis=1)
    assert objective[-1].mean() > objective[0].mean()


@pytest.mark.parametrize("kind", [Gibbs, Mcem])
def test_without_rows_a_chain_does_not_know_its_images(kind, planted):
    one = learner(kind)
    batch = batch_of(planted[0], np.arange(NUM))
    del batch["labelled"]["row"]
    with pytest.raises(ValueError, match=r"set `data\.entries="):
        one.step(one.init(noise.seed(0)), batch, noise.seed(1))


def test_a_gibbs_sweep_refuses_minibatches(planted):
    one = learner(Gibbs)
    with pytest.raises(
        ValueError,
        match=r"all 40 images.*\{'labelled': 10\}.*labelled_batch=40`. For minibatches there are BCDF and MCEM",
    ):
        one.step(one.init(noise.seed(0)), batch_of(planted[0], np.arange(10)), noise.seed(1))


def test_a_row_of_two_streams_keeps_its_label(planted):
    from tfvae.samplers.dgdn import observed

    image = planted[0]
    batch = batch_of(image, np.arange(5)) | {"unlabelled": {"image": image, "row": tf.range(NUM)}}
    data = observed.whole(batch, 3, INFO._replace(num_labelled=5))
    np.testing.assert_array_equal(data.image, image)
    np.testing.assert_array_equal(data.sign[:5], 2.0 * np.eye(3)[np.arange(5) % 3] - 1.0)
    assert not data.sign[5:].numpy().any()


def test_the_bound_of_the_noise_rises_over_its_ramp():
    one = learner(Gibbs, course=chain.Course(ramp_steps=10))
    np.testing.assert_allclose([one.most(t) for t in (0, 5, 10, 20)], [1.0, 100.0, 10_000.0, 10_000.0], rtol=1e-4)


def test_folding_a_precision_into_the_dictionary_changes_no_image_and_no_decision():
    shared = sweep.first_global(GEOMETRY, 3, np.inf, noise.seed(1))
    shared = shared._replace(
        code_precision=tf.constant(4.0), beta=tf.random.stateless_normal(shared.beta.shape, [1, 2])
    )
    local = sweep.first_local(GEOMETRY, 2, noise.seed(2))
    code = tf.random.stateless_normal(local.code.shape, [3, 4])
    folded = chain.folded(shared)
    masks = GEOMETRY.masks(local.maps)
    fits = [GEOMETRY.fit(s, of.dictionaries, masks) for s, of in ((code, shared), (2.0 * code, folded))]
    np.testing.assert_allclose(*fits, rtol=1e-4, atol=1e-5)
    decisions = [sweep.svm.decision(s, of.beta) for s, of in ((code, shared), (2.0 * code, folded))]
    np.testing.assert_allclose(*decisions, rtol=1e-4, atol=1e-5)


def test_chunks_are_swept_as_the_whole_is(monkeypatch):
    """Without noise in the maps' draws the most probable maps do not depend on the chunks; codes have their noise."""
    monkeypatch.setattr(sweep.maps.conjugate, "gumbel", lambda shape, seed: tf.zeros(shape))
    prior = Prior(uniform_maps=True)
    shared = sweep.first_global(GEOMETRY, 0, np.inf, noise.seed(1))
    local = sweep.first_local(GEOMETRY, 6, noise.seed(2))
    local = local._replace(code=tf.random.stateless_normal(local.code.shape, [3, 4]))
    data = Data(tf.random.stateless_normal([6, 11, 11, 1], [5, 6]), tf.zeros([6, 0]))
    whole = sweep.local_sweep_in_chunks(GEOMETRY, prior, shared, local, data, noise.seed(3))
    monkeypatch.setattr(sweep, "chunk_size", lambda geometry, num: 2)
    chunks = sweep.local_sweep_in_chunks(GEOMETRY, prior, shared, local, data, noise.seed(3))
    np.testing.assert_array_equal(whole.local.maps[0], chunks.local.maps[0])
    assert chunks.local.code.shape == whole.local.code.shape


def test_images_that_are_all_labelled_come_in_the_order_of_their_rows(planted):
    from tfvae.samplers.dgdn import observed

    order = np.random.default_rng(0).permutation(NUM)
    data = observed.whole(batch_of(planted[0], order), 3, INFO)
    np.testing.assert_array_equal(data.image, planted[0])
    np.testing.assert_array_equal(np.argmax(data.sign, axis=1), np.arange(NUM) % 3)
