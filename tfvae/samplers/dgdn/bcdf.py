"""Bayesian conditional density filtering: Gibbs sampling on minibatches, by surrogate sufficient statistics.

What images share is drawn given the statistics of this minibatch and of those before, each at the values that its other
variables had then; the images themselves are not needed again, so memory does not grow with the data. Where a minibatch
is all the data and nothing is remembered it is Gibbs sampling.

Guhaniyogi et al. 2014; Pu 2017, section 3.4.1.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import Batch
from tfvae.probability import noise
from tfvae.samplers.dgdn import observed, sweep
from tfvae.samplers.dgdn.chain import Mean, Sampler
from tfvae.samplers.dgdn.state import Global


class State(NamedTuple):
    """Where the chain is; fields as of `tfvae.samplers.dgdn.gibbs.State`, and

    statistics: `sweep.Statistics` of the minibatches so far.
    """

    shared: Global
    statistics: sweep.Statistics
    mean: Mean
    steps: tf.Tensor
    moved: tf.Tensor
    squared_error: tf.Tensor


class Bcdf(Sampler):
    """The chain.

    Args:
        forgetting: weight of the statistics of before, a minibatch later; 1 sums them for ever, 0 keeps none.
        local_sweeps: over the maps and codes of a minibatch, which begin anew.
        *args: as of `Sampler`.
    """

    def __init__(self, *args: Any, forgetting: float = 1.0, local_sweeps: int = 8) -> None:
        super().__init__(*args)
        self.forgetting, self.local_sweeps = forgetting, local_sweeps

    def init(self, seed: tf.Tensor) -> State:
        del seed  # Codes begin anew in every minibatch.
        shared = self.first_shared()
        return State(
            shared, sweep.Statistics.zeros(self.geometry, self.num_classes), self.first_mean(shared), tf.constant(0),
            tf.zeros([self.geometry.num_pooled]), tf.constant(0.0),
        )  # fmt: skip

    def step(self, state: State, batch: Batch, seed: tf.Tensor) -> State:
        first_seed, *local_seeds, global_seed = noise.split(seed, self.local_sweeps + 2)
        data = observed.data_of(batch, self.num_classes)
        local = self.first_local(data.image.shape[0], first_seed)
        for local_seed in local_seeds:
            swept = sweep.local_sweep_in_chunks(self.geometry, self.prior, state.shared, local, data, local_seed)
            local = swept.local
        found = sweep.global_sweep(
            self.geometry, self.prior, state.shared, local, data, global_seed, self.most(state.steps),
            before=state.statistics, forgetting=self.forgetting,
        )  # fmt: skip
        steps = state.steps + 1
        mean = self.mean_after(state.mean, steps, found.shared, local.maps)
        return State(found.shared, found.statistics, mean, steps, swept.moved, found.squared_error)
