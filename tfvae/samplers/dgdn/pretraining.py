"""Layer-wise pretraining: every layer alone, from the lowest up, with a residual of its own; then elements are pruned.

A layer alone has free values: where it is pooled, blocks unpool numbers of N(0, I / γ_s), with a spike a map; at the
top they are the code itself. What the next layer explains are the mean values of the last half of the sweeps.

Pu 2017, sections 3.5 and 3.5.1.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.networks import dgdn
from tfvae.probability import noise
from tfvae.samplers.dgdn import clusters, dictionary, precisions, sweep, top
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Data, Global, Local, Prior

# The usage of every map in the first quarter of the sweeps, when γ_s is 1 too: where elements explain little yet, all
# maps would go off, and with them all that γ_s is known by and every reason to come back.
_OPEN = 0.95


class Learned(NamedTuple):
    """A layer alone.

    dictionary: [n, n, K below, K], the mean over the last half of the sweeps.
    usage:      [K], the share of its blocks that are not blank and of images in which its map is on, there too.
    values:     [N, h, w, K], the mean of what is unpooled.
    """

    dictionary: np.ndarray
    usage: np.ndarray
    values: np.ndarray


def pretrain(
    geometry: Geometry, prior: Prior, images: np.ndarray, elements: tuple[int, ...], sweeps: int, seed: tf.Tensor
) -> tuple[np.ndarray, ...]:
    """Dictionaries of all layers: of each the elements that are used most, the most used first.

    Args:
        geometry: `Geometry`, with the elements that are kept.
        prior: `Prior`, of which the spike is used everywhere; without clusters and tags.
        images: [N, H, W, C].
        elements: of every layer before it is pruned.
        sweeps: of every layer.
        seed: int32 [2].
    """
    below, found = np.asarray(images, np.float32), []
    prior = prior._replace(spike=True, clusters=None, tags=None)
    for layer in range(geometry.num_layers):
        alone = _alone(geometry, layer, below.shape[1:], elements[layer])
        learned = _learn(alone, prior, below, sweeps, noise.fold_in(seed, layer))
        kept = np.argsort(-learned.usage, kind="stable")[: geometry.elements[layer]]
        logging.info(
            "Pretrained layer %d: %d of %d elements kept, used by %.0f to %.0f %% (the others by up to %.0f %%).",
            layer + 1, len(kept), elements[layer], 100 * learned.usage[kept[-1]], 100 * learned.usage[kept[0]],
            100 * np.delete(learned.usage, kept).max(initial=0.0),
        )  # fmt: skip
        found.append(learned.dictionary[..., kept])
        below = learned.values[..., kept]
    return tuple(found)


def _alone(geometry: Geometry, layer: int, shape: tuple[int, ...], count: int) -> Geometry:
    """One layer on what lies below it; a pooled one has a layer of single taps above, which stay the identity."""
    size = geometry.sizes[layer]
    if layer == geometry.num_pooled:
        return Geometry.of(shape, dgdn.Config((count,), (size,), ()))
    block = geometry.levels[layer].block
    blank = geometry.outcomes[layer] > block**2
    return Geometry.of(shape, dgdn.Config((count, count), (size, 1), (block,), zero_blocks=blank))


def _learn(geometry: Geometry, prior: Prior, below: np.ndarray, sweeps: int, seed: tf.Tensor) -> Learned:
    first, data = noise.split(seed, 2), Data(tf.constant(below), tf.zeros([len(below), 0]))
    shared = sweep.first_global(geometry, 0, min(1.0, prior.max_noise_precision), first[0])
    shared = shared._replace(usage=tf.fill([geometry.elements[-1]], _OPEN))
    if geometry.num_pooled:
        identity = tf.eye(geometry.elements[-1])[None, None]
        shared = shared._replace(dictionaries=(shared.dictionaries[0], identity))
    local = sweep.first_local(geometry, len(below), first[1])

    @tf.function(autograph=False)
    def step(shared: Global, local: Local, number: tf.Tensor) -> tuple[Global, Local]:
        shared, local = _sweep(geometry, prior, shared, local, data, noise.fold_in(seed, number))
        opening = number < sweeps // 4
        usage, precision = tf.where(opening, _OPEN, shared.usage), tf.where(opening, 1.0, shared.code_precision)
        return shared._replace(usage=usage, code_precision=precision), local

    means: list[np.ndarray] = []
    kept = range(sweeps // 2, sweeps)
    for number in range(sweeps):
        shared, local = step(shared, local, tf.constant(number))
        if number in kept:
            now = [shared.dictionaries[0].numpy(), _usage(geometry, local), local.code.numpy()]
            parts = [part / len(kept) for part in now]
            means = [total + part for total, part in zip(means, parts, strict=True)] if means else parts
    return Learned(*means)


def _sweep(
    geometry: Geometry, prior: Prior, shared: Global, local: Local, data: Data, seed: tf.Tensor
) -> tuple[Global, Local]:
    """Maps and values, then the lowest dictionary, precisions and usages."""
    local_seed, usage_seed, dictionary_seed, noise_seed, code_seed = noise.split(seed, 5)
    local = sweep.local_sweep_in_chunks(geometry, prior, shared, local, data, local_seed).local
    usage = top.usage(top.switched(local.code), prior, usage_seed)
    activations = geometry.activations(local.code, shared.dictionaries, geometry.masks(local.maps))[0]
    residual = sweep.residual_of(geometry, shared, local, data)
    drawn, residual, _ = dictionary.redraw_compiled(
        geometry, 0, activations, residual, shared, local.maps, dictionary_seed
    )
    shared = shared._replace(
        dictionaries=(drawn, *shared.dictionaries[1:]),
        usage=usage,
        noise_precision=precisions.noise_precision(precisions.Squares.of(residual), prior, noise_seed),
        code_precision=precisions.code_precision(precisions.Squares.of_code(local.code), prior, code_seed),
    )
    return shared, local


def _usage(geometry: Geometry, local: Local) -> np.ndarray:
    on = np.asarray(clusters.is_on(local.code))
    if not geometry.num_pooled:
        return on.mean(axis=0)
    there = local.maps[0].numpy() < geometry.levels[0].block ** 2
    return (there * on[:, None, None]).mean(axis=(0, 1, 2))
