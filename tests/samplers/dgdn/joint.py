"""Geweke's joint-distribution test of a sweep, with a control that must fail: see `test_geweke`."""

import numpy as np
import tensorflow as tf

from tfvae.probability import noise

SWEEPS, BATCHES, MOST = 20_000, 25, 4.2


def chain_of(sweep, statistics, sweeps):
    """(state, wrong) -> statistics of every sweep of a chain, [sweeps, S]; traced and compiled once for both."""

    @tf.function(jit_compile=True, autograph=False)
    def chain(state, wrong):
        def once(t, state, found):
            state = sweep(state, noise.seed(3, t), wrong)
            return t + 1, state, tf.tensor_scatter_nd_update(found, [[t]], statistics(*state)[None])

        start = tf.constant(0), state, tf.zeros([sweeps, statistics(*state).shape[0]])
        return tf.while_loop(lambda t, *_: t < sweeps, once, start)[2]

    return chain


def check(draw, packed, sweep, statistics, sweeps=SWEEPS, num=4000):
    """Means of a chain against those of prior draws, in standard errors, by means of batches of sweeps.

    Args:
        draw: a NumPy generator -> arrays of a state drawn from the prior, images or whatever is observed included.
        packed: these as tensors -> the state, a tuple.
        sweep: (state, seed, wrong) -> the state after everything was redrawn given all else; with `wrong` by a
            conditional that is not right.
        statistics: the fields of a state -> [S].
        sweeps: of the chain.
        num: draws of the prior.
    """
    rng = np.random.default_rng(0)
    columns = [np.stack(column) for column in zip(*(draw(rng) for _ in range(num)))]
    states = packed(*[tf.constant(c, tf.int32 if c.dtype == np.int32 else tf.float32) for c in columns])
    of_prior = tf.function(lambda: tf.map_fn(lambda of: statistics(*of), states, fn_output_signature=tf.float32))
    prior, chain = of_prior().numpy(), chain_of(sweep, statistics, sweeps)
    for wrong in (False, True):
        found = chain(tf.nest.map_structure(lambda t: t[0], states), tf.constant(wrong)).numpy()
        batches = found.astype(np.float64).reshape(BATCHES, -1, prior.shape[1]).mean(axis=1)
        error = np.sqrt(batches.var(axis=0, ddof=1) / BATCHES + prior.var(axis=0) / len(prior) + 1e-12)
        z = np.abs(batches.mean(axis=0) - prior.mean(axis=0)) / error
        assert np.isfinite(z).all() and (z.max() > MOST) == wrong, z
