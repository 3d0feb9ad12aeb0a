"""Factors that a layer knows are found, and those that it does not know are guessed."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.data import transforms
from tfvae.data.examples import Examples
from tfvae.data.load import Data
from tfvae.evaluation import decoding, measurement
from tfvae.evaluation.measurement import Settings
from tfvae.reports.panels import rendering as panels


class Known:
    """A model whose first layer knows the factor `seen` and whose second knows nothing."""

    widest_layer = 16

    def can(self, capability):
        return capability == "activations"

    def activations(self, image):
        return {"first": image, "second": tf.zeros_like(image)}


def data_of(rng, num_train=600, num_test=200):
    def rows(num):
        factors = rng.uniform(size=[num, 2]).astype(np.float32)
        image = np.zeros([num, 4, 4, 1], np.uint8)
        image[:, 1, 2, 0] = 255 * factors[:, 0]
        image[:, 3, 3, 0] = 50
        return Examples(image, np.zeros(num, np.int64), factors=factors)

    train, test = rows(num_train), rows(num_test)
    info = DataInfo((4, 4, 1), 2, num_train, num_train, names={"factors": ("seen", "unseen")})
    transform = transforms.Transform.fit(transforms.Config(flatten=False), train.image)
    return Data(info, transform, ("a", "b"), {}, train, train, train.take([]), train.take([]), test, test, {})


def test_a_factor_is_decoded_where_a_layer_knows_it_and_guessed_elsewhere(rng):
    data, model = data_of(rng), Known()
    assert decoding.applies(model, data, data.test)
    errors = decoding.measure(model, data, data.test, Settings())[decoding.KEY]
    assert errors["seen"]["first"] < 0.25
    assert min(errors["unseen"]["first"], errors["seen"]["second"], errors["unseen"]["second"]) > 0.8
    assert "90 %" in measurement.headlines({decoding.KEY: errors}, data)[0].meaning
    (panel,) = panels.draw(model, data, {decoding.KEY: errors}, 0)
    assert panel.image.startswith(b"\x89PNG")


def test_bins_have_equal_counts_of_training_values(rng):
    train, test = decoding._bins(rng.exponential(size=1000), np.array([-1.0, 1e9]))
    assert np.bincount(train).tolist() == [100] * 10
    assert test.tolist() == [0, 9]


@pytest.mark.parametrize("without", ["train", "test"])
def test_images_without_factors_are_not_decoded(rng, without):
    data = data_of(rng)
    bare = Examples(data.train.image, data.train.label)
    rows = bare if without == "test" else data.test
    data = Data(**{**vars(data), "train": bare}) if without == "train" else data
    assert not decoding.applies(Known(), data, rows)
    assert decoding.headlines({}, data) == []
