"""Geweke's joint-distribution test: draws of everything from the prior against a chain that redraws images as well.

If every conditional is right, "a sweep, then new images given all else" leaves the joint distribution as it is, so the
mean of any function of the state is that of prior draws. Two controls, whose conditionals are wrong, must fail.

Geweke 2004, "Getting it right: joint distribution tests of posterior simulators".
"""

import functools

import numpy as np
import tensorflow as tf

from tests.samplers.dgdn import reference
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import maps, precisions, sweep
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Global, Local, Prior

NUM = 2
# With these the two precisions stay where a chain moves; diffuse ones have no mean that could be compared.
PRIOR = Prior(noise=(8.0, 32.0), code=(12.0, 12.0), kappa=(4.0, 4.0), usage=(2.0, 2.0))
# Of standard errors: a right sampler stays below in all statistics but for one run in hundreds.
MOST = 4.2
SWEEPS, BATCHES = 5000, 25


def statistics(shared, local, image, projected):
    """Name -> scalar of one state and its images; `projected` is a pixel of a fit."""
    found = {
        "log γ_e": tf.math.log(shared.noise_precision),
        "log γ_s": tf.math.log(shared.code_precision),
        "log |s|²": tf.math.log(tf.reduce_sum(local.code**2) + 1e-3),
        "off": tf.reduce_mean(tf.cast(tf.reduce_all(local.code == 0, axis=[1, 2]), tf.float32)),
        "log |x|²": tf.math.log(tf.reduce_sum(image**2)),
        "projected": tf.tanh(projected),
    }
    for layer, d in enumerate(shared.dictionaries):
        found[f"log |D{layer}|²"] = tf.math.log(tf.reduce_sum(d**2))
        found[f"D{layer} > 0"] = tf.cast(d[0, 0, 0, 0] > 0, tf.float32)
    for layer, u in enumerate(local.maps):
        found[f"blank {layer}"] = tf.reduce_mean(tf.cast(u == 4, tf.float32))
        found[f"alike {layer}"] = tf.reduce_mean(tf.cast(u[:, 0, 0] == u[:, -1, -1], tf.float32))
    return found


def of_classifiers(shared, code, sign):
    """The same of the classifiers and the code, for any number of states at once: name -> [...]."""
    margin = margins(shared, code, sign)
    return {
        "log γ_s": tf.math.log(shared.code_precision),
        "log |s|²": tf.math.log(tf.reduce_sum(code**2, axis=[-2, -1])),
        "log κ": tf.math.log(shared.kappa),
        "|β|": tf.reduce_mean(tf.abs(shared.beta), axis=[-2, -1]),
        "m > 0": tf.reduce_mean(tf.cast(margin > 0, tf.float32), axis=[-2, -1]),
        "tanh m": tf.reduce_mean(tf.tanh(margin), axis=[-2, -1]),
    }


def margins(shared, code, sign):
    decision = tf.matmul(code, shared.beta[..., :-1, :]) + shared.beta[..., -1:, :]
    return 1.0 - sign * decision


def from_the_prior(geometry, prior, num_classes, rng):
    """(`Global`, `Local`, images, a pixel of the fit) in NumPy, drawn from top to bottom."""
    noise_precision = np.inf
    while noise_precision > prior.max_noise_precision or noise_precision == np.inf:
        noise_precision = rng.gamma(prior.noise[0], 1 / prior.noise[1])
    code_precision = rng.gamma(prior.code[0], 1 / prior.code[1])
    usage = rng.beta(*prior.usage, geometry.elements[-1])
    code = rng.normal(size=[NUM, *geometry.code_shape]) / np.sqrt(code_precision)
    if prior.spike:
        code *= rng.random([NUM, 1, 1, geometry.elements[-1]]) < usage
    drawn = []
    for layer, outcomes in enumerate(geometry.outcomes):
        height, width, count = geometry.map_shape(layer)
        theta = rng.dirichlet([maps.concentration(prior, geometry.levels[layer].block)] * outcomes, [NUM, count])
        u = [[rng.choice(outcomes, [height, width], p=theta[n, k]) for k in range(count)] for n in range(NUM)]
        drawn.append(np.moveaxis(np.array(u), 1, -1))
    dictionaries = [rng.normal(size=geometry.dictionary_shape(layer)) for layer in range(geometry.num_layers)]
    fit = np.stack([reference.fit(geometry, code[n], dictionaries, [u[n] for u in drawn]) for n in range(NUM)])
    image = fit + rng.normal(size=fit.shape) / np.sqrt(noise_precision)
    beta = np.zeros([geometry.code_dim + 1, num_classes])
    shared = Global(tuple(map(_tensor, dictionaries)), *map(_tensor, (noise_precision, code_precision, usage, beta, 1)))
    local = Local(tuple(tf.constant(u, tf.uint8) for u in drawn), _tensor(code))
    return shared, local, _tensor(image), _tensor(fit[0, 0, 0, 0])


def _tensor(value):
    return tf.constant(value, tf.float32)


def prior_means(geometry, prior, num):
    """(mean, its standard error) of every statistic under the prior."""
    rng, of_state = np.random.default_rng(5), tf.function(lambda *state: [*statistics(*state).values()])
    rows = np.array([[float(v) for v in of_state(*from_the_prior(geometry, prior, 0, rng))] for _ in range(num)])
    return rows.mean(axis=0), rows.std(axis=0) / np.sqrt(num)


def weighted_means(geometry, prior, sign, num):
    """The same of `of_classifiers`.

    Fixed labels have no normalised likelihood; draws are weighted by exp(−2γ Σ max(m, 0)), which the chain targets.
    """
    rng, (dim, count) = np.random.default_rng(6), (geometry.code_dim, sign.shape[1])
    kappa, code_precision = (rng.gamma(a, 1 / b, [num, 1, 1]) for a, b in (prior.kappa, prior.code))
    beta = rng.normal(size=[num, dim + 1, count]) * np.sqrt(rng.exponential(1 / kappa, [num, dim + 1, count]))
    code = _tensor(rng.normal(size=[num, NUM, dim]) / np.sqrt(code_precision))
    shared = Global((), *map(_tensor, (1.0, code_precision[:, 0, 0], 1.0, beta, kappa[:, 0, 0])))
    hinge = tf.reduce_sum(tf.nn.relu(margins(shared, code, sign)), axis=[1, 2])
    weight = np.exp(-2.0 * prior.gamma * (hinge - tf.reduce_min(hinge)).numpy().astype(np.float64))
    weight /= weight.sum()
    rows = np.stack([*of_classifiers(shared, code, sign).values()], axis=1).astype(np.float64)
    mean = weight @ rows
    return mean, np.sqrt(weight**2 @ (rows - mean) ** 2)


def chain_of(geometry, prior, sign, measure, step=None):
    """(shared, local, image, wrong) -> statistics [sweeps, S], compiled as a whole.

    Args:
        geometry, prior: of the model.
        sign: [N, C], labels.
        measure: (shared, local, image) -> [S].
        step: (shared, local, seed, wrong) -> (shared, local) after a sweep; nothing by default.
    """

    def once(t, shared, local, image, found, wrong):
        local_seed, global_seed, image_seed, step_seed = noise.split(noise.seed(3, t), 4)
        data = Data(image, sign)
        WRONG.append(wrong)
        local = sweep.local_sweep(geometry, prior, shared, local, data, local_seed).local
        whole = not sign.shape[1] and not prior.spike
        swept = sweep.global_sweep(geometry, prior, shared, local, data, global_seed, rescale_top=whole)
        shared, local = swept.shared, swept.local
        if step is not None:
            shared, local = step(shared, local, step_seed, wrong)
        fit = geometry.fit(local.code, shared.dictionaries, geometry.masks(local.maps))
        image = fit + noise.normal(image.shape, image_seed) * tf.math.rsqrt(shared.noise_precision)
        row = measure(shared, local, image)
        return t + 1, shared, local, image, tf.tensor_scatter_nd_update(found, [[t]], row[None]), wrong

    @tf.function(jit_compile=True, autograph=False)
    def chain(shared, local, image, wrong):
        num = measure(shared, local, image).shape[0]
        start = (tf.constant(0), shared, local, image, tf.zeros([SWEEPS, num]), wrong)
        return tf.while_loop(lambda t, *_: t < SWEEPS, once, start)[4]

    return chain


# What a sweep that is being traced is told of whether it is to be wrong.
WRONG = []


def distances(chain, geometry, prior, num_classes, expected, wrong=False):
    """z of every statistic, by means of batches of sweeps."""
    shared, local, image, _ = from_the_prior(geometry, prior, num_classes, np.random.default_rng(9))
    found = chain(shared, local, image, tf.constant(wrong)).numpy().astype(np.float64)[SWEEPS // 50 :]
    found = found[: len(found) // BATCHES * BATCHES]
    batches = found.reshape(BATCHES, -1, found.shape[1]).mean(axis=1)
    mean, error = expected
    of_chain = batches.std(axis=0, ddof=1) / np.sqrt(BATCHES)
    z = (batches.mean(axis=0) - mean) / np.sqrt(of_chain**2 + error**2 + 1e-12)
    print(np.round(z, 2))
    return np.abs(z)


def of_all(geometry, shared, local, image):
    fit = geometry.fit(local.code, shared.dictionaries, geometry.masks(local.maps))
    return tf.stack([*statistics(shared, local, image, fit[0, 0, 0, 0]).values()])


def test_three_layers_pass_and_a_forgotten_norm_fails(monkeypatch):
    """Two layers of maps, blank blocks, moves of all scales. In the control v² |a_q|² / 2 is left out above layer 0."""
    geometry = Geometry.of((5, 5, 1), networks.Config((2, 2, 1), (2, 1, 1), (2, 2), zero_blocks=True))
    project = maps._project_upper

    def perhaps_without_norm(*args):
        along, norm = project(*args)
        return along, tf.where(WRONG[-1], 0.0, norm)

    monkeypatch.setattr(maps, "_project_upper", perhaps_without_norm)
    chain = chain_of(geometry, PRIOR, tf.zeros([NUM, 0]), functools.partial(of_all, geometry))
    expected = prior_means(geometry, PRIOR, 3000)
    z = distances(chain, geometry, PRIOR, 0, expected)
    assert z.max() < MOST, z
    z = distances(chain, geometry, PRIOR, 0, expected, wrong=True)
    assert z.max() > MOST, "the test does not see that the norm is missing"


def test_classifiers_pass_and_a_scale_move_that_they_do_not_know_of_fails():
    """Two classifiers with fixed labels on the code. The control moves the code's scale without theirs."""
    geometry = Geometry.of((3, 3, 1), networks.Config((1, 2), (2, 1), (2,), zero_blocks=True))
    prior = PRIOR._replace(gamma=1.0, kappa=(4.0, 1.0))
    sign = tf.constant([[1.0, -1.0], [-1.0, 1.0]])

    def rescale_top(shared, local, seed, wrong):
        dictionaries, code = precisions.rescale_top(shared.dictionaries, local.code, shared.code_precision, seed)
        dictionaries, code = tf.nest.map_structure(
            lambda new, old: tf.where(wrong, new, old), (dictionaries, code), (shared.dictionaries, local.code)
        )
        return shared._replace(dictionaries=dictionaries), local._replace(code=code)

    def measure(shared, local, image):
        del image
        code = tf.reshape(local.code, [NUM, geometry.code_dim])
        return tf.stack([*of_classifiers(shared, code, sign).values()])

    chain = chain_of(geometry, prior, sign, measure, rescale_top)
    expected = weighted_means(geometry, prior, sign, 400_000)
    z = distances(chain, geometry, prior, 2, expected)
    assert z.max() < MOST, z
    z = distances(chain, geometry, prior, 2, expected, wrong=True)
    assert z.max() > MOST, "the test does not see that β was not scaled"


def test_a_spike_and_a_truncated_precision_pass():
    """One layer; every map of the code may be off, and γ_e stays below a value in the middle of its prior."""
    geometry = Geometry.of((4, 4, 1), networks.Config((2,), (3,), ()))
    prior = PRIOR._replace(spike=True, max_noise_precision=0.25)
    chain = chain_of(geometry, prior, tf.zeros([NUM, 0]), functools.partial(of_all, geometry))
    z = distances(chain, geometry, prior, 0, prior_means(geometry, prior, 3000))
    assert z.max() < MOST, z
