"""The distance from a posterior that is known."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.data import load
from tfvae.evaluation import posterior
from tfvae.evaluation.measurement import Settings
from tfvae.run import opening


def test_total_variation_is_that_of_shifted_gaussians(rng):
    one, other = rng.normal(size=[200_000, 1]), rng.normal(1.0, 1.0, size=[200_000, 1])
    assert posterior.total_variation(one, other) == pytest.approx(0.383, abs=0.01)  # 2 Φ(½) − 1.
    assert posterior.total_variation(one, rng.normal(size=[200_000, 1])) < 0.01
    assert posterior.total_variation(one, one + 100.0) == pytest.approx(1 - 1 / 12, abs=0.01)


def test_a_correlation_is_seen_in_two_dimensions(rng):
    one = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 50_000)
    assert posterior.total_variation(one, rng.normal(size=[50_000, 2])) > 0.3


@pytest.fixture(params=["vae_toy", "stein_vae_toy"])
def toy(request):
    experiment = importlib.import_module(f"tfvae.configs.{request.param}").get_config("wide")
    data = load.load(experiment.data)
    return opening.build_model(experiment, data), data


def test_the_toys_posterior_is_known_and_that_of_other_models_is_not(toy):
    assert toy[0].can(Capability.POSTERIOR)
    digits = importlib.import_module("tfvae.configs.vae_digits").get_config("tiny")
    assert not opening.build_model(digits, load.load(digits.data)).can(Capability.POSTERIOR)


def test_an_encoder_that_is_the_posterior_has_the_distance_of_counting(toy, monkeypatch):
    model, data = toy
    true, fitted = posterior.draws(model, data, data.test, 500)
    assert true.shape == fitted.shape == (500, 10, 2)
    untrained = posterior.measure(model, data, data.test, Settings(), num=4000)
    assert untrained["posterior_distance"] > 0.3

    def exact(model, data, rows, num, seed=0):
        network, x = model.config.network, data.observe(rows)
        return tuple(network.posterior_draws(model, x, num, s) for s in (seed, seed + 1))

    monkeypatch.setattr(posterior, "draws", exact)
    right = posterior.measure(model, data, data.test, Settings(), num=4000)
    assert right["posterior_distance"] < right["posterior_distance_floor"] + 0.02
    assert right["posterior_sd_ratio"] == pytest.approx(1.0, abs=0.05)
    assert right["posterior_rows"] == 10


def test_factor_scores_are_compared_with_a_gibbs_chain(tmp_path, rng):
    np.savez(
        tmp_path / "bow.npz", train_data=np.ones(60), train_indices=np.tile(np.arange(6), 10),
        train_indptr=np.arange(0, 61, 3), vocab=np.array(list("abcdef")),
    )  # fmt: skip
    experiment = importlib.import_module("tfvae.configs.vae_factors").get_config("tiny")
    experiment.data.path, experiment.data.num_validation, experiment.data.unlabelled_batch = str(tmp_path), 3, 4
    data = load.load(experiment.data)
    model = opening.build_model(experiment, data)
    true, fitted = posterior.draws(model, data, data.test.take(slice(0, 2)), 30)
    assert true.shape == fitted.shape == (30, 2, 4)
    assert (true > 0).all() and (fitted > 0).all()
    tf.debugging.assert_all_finite(fitted, "scores")
