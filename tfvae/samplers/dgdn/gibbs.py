"""Gibbs sampling: a step is a sweep over all training images and all that they share."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import Batch
from tfvae.probability import noise
from tfvae.samplers.dgdn import observed, sweep
from tfvae.samplers.dgdn.chain import Mean, Sampler
from tfvae.samplers.dgdn.state import Global, Local


class State(NamedTuple):
    """Where the chain is.

    shared:        `Global`, a draw.
    local:         `Local` of all training images.
    mean:          `Mean`.
    steps:         [], sweeps done.
    moved:         [pooled layers], share of blocks that moved in the last sweep, weighted by |v|.
    squared_error: [], mean square of the residual.
    """

    shared: Global
    local: Local
    mean: Mean
    steps: tf.Tensor
    moved: tf.Tensor
    squared_error: tf.Tensor


class Gibbs(Sampler):
    """The chain.

    Args:
        rescale_top: whether the scales of the top layer's elements move too, where neither a classifier nor a cluster
            sees the code.
        *args: as of `Sampler`.
    """

    def __init__(self, *args: Any, rescale_top: bool = True) -> None:
        super().__init__(*args)
        sees_scale = self.num_classes or self.prior.spike or self.prior.clusters
        self.rescale_top = rescale_top and not sees_scale

    def init(self, seed: tf.Tensor) -> State:
        shared = self.first_shared()
        return State(
            shared, self.first_local(self.num_images, seed), self.first_mean(shared), tf.constant(0),
            tf.zeros([self.geometry.num_pooled]), tf.constant(0.0),
        )  # fmt: skip

    def step(self, state: State, batch: Batch, seed: tf.Tensor) -> State:
        num_tags = state.shared.phi.shape[0] if self.prior.tags else 0
        data = observed.whole(batch, self.num_classes, self.info, num_tags)
        local_seed, global_seed = noise.split(seed, 2)
        local, moved = sweep.local_sweep_in_chunks(
            self.geometry, self.prior, state.shared, state.local, data, local_seed
        )
        swept = sweep.global_sweep(
            self.geometry, self.prior, state.shared, local, data, global_seed, self.most(state.steps), self.rescale_top
        )
        steps = state.steps + 1
        mean = self.mean_after(state.mean, steps, swept.shared, swept.local.maps)
        return State(swept.shared, swept.local, mean, steps, moved, swept.squared_error)
