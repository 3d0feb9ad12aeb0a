"""Layers learned alone, and pruned by use."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.layers.dictionary import full_convolution
from tfvae.models import dgdn_sampled
from tfvae.networks import dgdn as networks
from tfvae.probability import noise
from tfvae.samplers.dgdn import pretraining
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Prior


def test_a_layer_alone_explains_what_is_below_it(rng):
    """Images of one element, here and there: the residual of the mean dictionary and values is that of the noise."""
    element, maps = rng.normal(size=[2, 2, 1, 1]), rng.normal(size=[50, 3, 3, 1])
    images = full_convolution(tf.constant(maps, tf.float32), tf.constant(element, tf.float32)).numpy()
    images += 0.1 * rng.normal(size=images.shape)
    geometry = Geometry.of((4, 4, 1), networks.Config((1,), (2,), ()))
    learned = pretraining._learn(geometry, Prior(spike=True), images, 100, noise.seed(1))
    assert learned.usage > 0.95
    fit = full_convolution(tf.constant(learned.values), tf.constant(learned.dictionary))
    assert np.mean((images - fit) ** 2) < 0.15 * np.mean(images**2)


def test_what_is_used_most_is_kept_and_explained_by_the_next_layer(rng, monkeypatch):
    geometry = Geometry.of((6, 6, 1), networks.Config((2, 1), (3, 2), (2,)))
    usages, seen = [np.array([0.1, 0.9, 0.5]), np.array([0.3, 0.4])], []

    def learn(alone, prior, below, sweeps, seed):
        seen.append(below)
        size, usage = alone.sizes[0], usages[len(seen) - 1]
        numbered = np.tile(np.arange(len(usage), dtype=np.float32), [4, 2, 2, 1])
        return pretraining.Learned(np.tile(np.arange(len(usage)), [size, size, below.shape[-1], 1]), usage, numbered)

    monkeypatch.setattr(pretraining, "_learn", learn)
    lower, upper = pretraining.pretrain(geometry, Prior(), rng.normal(size=[4, 6, 6, 1]), (3, 2), 10, noise.seed(0))
    assert lower.shape == (3, 3, 1, 2) and lower[0, 0, 0].tolist() == [1, 2] and upper.shape == (2, 2, 2, 1)
    assert seen[1][0, 0, 0].tolist() == [1.0, 2.0] and upper[0, 0, 0].tolist() == [1]


@pytest.mark.parametrize("zero_blocks", [True, False])
def test_layers_follow_one_another_and_the_model_begins_from_them(rng, zero_blocks):
    network = networks.Config((2, 3), (3, 2), (2,), zero_blocks=zero_blocks)
    config = dgdn_sampled.GibbsConfig(network, label_weight=0.0, pretraining_sweeps=4, pretraining_elements=(4, 5))
    info, images = DataInfo((8, 8, 1), 0, 30, 0), rng.normal(size=[12, 8, 8, 1]).astype(np.float32)
    model, other = config.build(info), config.build(info)
    before = model.read().dictionaries
    model.initialise(images)
    other.initialise(images)
    for old, new, same in zip(before, model.read().dictionaries, other.read().dictionaries, strict=True):
        assert old.shape == new.shape and np.abs(old - new).max() > 0
        np.testing.assert_array_equal(new, same)
    unlike = dataclasses.replace(config, pretraining_sweeps=0).build(info)
    before = unlike.read().dictionaries
    unlike.initialise(images)
    np.testing.assert_array_equal(before[0], unlike.read().dictionaries[0])


@pytest.mark.parametrize("elements", [(4,), (2, 2)])
def test_fewer_elements_than_are_kept_are_refused(elements):
    config = dgdn_sampled.GibbsConfig(
        networks.Config((2, 3), (3, 2), (2,)), label_weight=0.0, pretraining_sweeps=4, pretraining_elements=elements
    )
    with pytest.raises(ValueError, match=r"`model\.pretraining_elements` has at least as many"):
        config.build(DataInfo((8, 8, 1), 0, 30, 0))
