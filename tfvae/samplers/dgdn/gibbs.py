"""Gibbs sampling: a step is a sweep over all training images and all that they share."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import Batch
from tfvae.probability import noise
from tfvae.samplers.dgdn import clusters, observed, sweep
from tfvae.samplers.dgdn.chain import Mean, Sampler
from tfvae.samplers.dgdn.state import NONE, Absent, Global, Local

# Weight of the newest sweep in a mean over sweeps.
_NEWEST = 0.1


class State(NamedTuple):
    """Where the chain is.

    shared:        `Global`, a draw.
    local:         `Local` of all training images.
    mean:          `Mean`.
    steps:         [], sweeps done.
    moved:         [pooled layers], share of blocks that moved in the last sweep, weighted by |v|.
    squared_error: [], mean square of the residual.
    mean_code:     [N, h, w, K], what codes were drawn around, averaged over the last sweeps; where clusters begin with
        it or classifiers learn of it.
    """

    shared: Global
    local: Local
    mean: Mean
    steps: tf.Tensor
    moved: tf.Tensor
    squared_error: tf.Tensor
    mean_code: tf.Tensor | Absent = NONE


class Gibbs(Sampler):
    """The chain.

    Args:
        rescale_top: whether the scales of the top layer's elements move too, where neither a classifier nor a cluster
            sees the code.
        begin_clusters: sweeps in which all clusters are alike, after which they begin from a k-means of codes.
        *args: as of `Sampler`.
    """

    def __init__(self, *args: Any, rescale_top: bool = True, begin_clusters: int = 1) -> None:
        super().__init__(*args)
        self.begin_clusters = begin_clusters
        sees_scale = self.num_classes or self.prior.spike or self.prior.clusters
        self.rescale_top = rescale_top and not sees_scale
        self.averages_codes = bool(self.prior.clusters or (not self.prior.feedback and self.num_classes))

    def init(self, seed: tf.Tensor) -> State:
        shared, local = self.first_shared(), self.first_local(self.num_images, seed)
        return State(
            shared, local, self.first_mean(shared), tf.constant(0), tf.zeros([self.geometry.num_pooled]),
            tf.constant(0.0), tf.zeros_like(local.code) if self.averages_codes else NONE,
        )  # fmt: skip

    def step(self, state: State, batch: Batch, seed: tf.Tensor) -> State:
        num_tags = state.shared.phi.shape[0] if self.prior.tags else 0
        data = observed.whole(batch, self.num_classes, self.info, num_tags)
        local_seed, global_seed = noise.split(seed, 2)
        local, moved, around = sweep.local_sweep_in_chunks(
            self.geometry, self.prior, state.shared, state.local, data, local_seed
        )
        steps, mean_code = state.steps + 1, state.mean_code
        if self.averages_codes:
            mean_code += (around - mean_code) * tf.maximum(1.0 / tf.cast(steps, tf.float32), _NEWEST)
        swept = sweep.global_sweep(
            self.geometry, self.prior, state.shared, local, data, global_seed, self.most(state.steps), self.rescale_top,
            classified=None if self.prior.feedback or not self.num_classes else mean_code,
        )  # fmt: skip
        shared = self._with_clusters(swept.shared, local, mean_code, steps, noise.fold_in(global_seed, -1))
        mean = self.mean_after(state.mean, steps, shared, local.maps)
        return State(shared, swept.local, mean, steps, moved, swept.squared_error, mean_code)

    def _with_clusters(
        self, shared: Global, local: Local, mean_code: tf.Tensor, steps: tf.Tensor, seed: tf.Tensor
    ) -> Global:
        """`Global` with the mixture as it was drawn, once clusters have begun."""
        if not self.prior.clusters:
            return shared
        drawn = shared.mixture
        at_first = clusters.waiting(drawn, shared.usage)
        mixture = tf.cond(
            steps == self.begin_clusters,
            lambda: clusters.begun(at_first, local.code, mean_code, self.prior.clusters, seed),
            lambda: tf.nest.map_structure(
                lambda new, old: tf.where(steps > self.begin_clusters, new, old), drawn, at_first
            ),
        )
        return shared._replace(mixture=mixture)
