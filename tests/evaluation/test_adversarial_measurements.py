"""Measurements of models with critics, against closed forms; a collapse must be reported."""

import types

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.presets import tiny
from tfvae.data import load
from tfvae.evaluation import (
    cells,
    critics,
    image_classifier,
    log_ratios,
    measurement,
    modes,
    reconstruction,
    sample_scores,
)  # fmt: skip
from tfvae.evaluation.measurement import Settings
from tfvae.probability.energy_distance import energy_distance_by_row
from tfvae.probability.known_gaussians import COVARIANCE, MEAN, LinearPair


@pytest.fixture(scope="module")
def gaussians():
    experiment = tiny("asvae_gaussians")
    data = load.load(experiment.data)
    return experiment.model.build(data.info, seed=0), data


@pytest.fixture(scope="module")
def dcgan():
    experiment = tiny("dcgan_mnist")
    experiment.data = load.Config(labelled_batch=0, transform=load.TransformConfig(flatten=False))
    data = load.load(experiment.data)
    return experiment.model.build(data.info, seed=0), data


def set_law(layer, matrix, offset, variances):
    layer.matrix.assign(np.transpose(matrix))
    layer.offset.assign(offset)
    layer.log_variance.assign(np.log(variances))


def equilibrium():
    """Maps both ways with p(x, z) = q(x, z): Σ = w wᵀ + S, and the posterior of that factor; z₂ is not used."""
    w = np.array([0.6 / np.sqrt(0.5), np.sqrt(0.5)])
    a, s = np.stack([w, np.zeros(2)], axis=1), np.diag(COVARIANCE) - w**2
    variance = 1.0 / (1.0 + np.sum(w**2 / s))
    c = np.stack([variance * w / s, np.zeros(2)])
    return (a, MEAN, s), (c, -c @ MEAN, np.array([variance, 1.0]))


def test_the_divergences_are_zero_at_the_equilibrium_and_the_log_ratios_are_alike():
    known, rng = LinearPair(*equilibrium(), MEAN, COVARIANCE), np.random.default_rng(0)
    np.testing.assert_allclose(known.divergences(), 0.0, atol=1e-9)
    x, z = rng.normal(size=[2, 5, 2])
    np.testing.assert_allclose(*known.log_ratios(x, z), atol=1e-9)


def test_log_ratios_and_divergences_are_those_of_scipy(gaussians):
    decoder, encoder = (
        (np.array([[0.5, 0.2], [0.1, -0.3]]), np.array([0.1, 0.2]), np.array([0.5, 0.7])) for _ in range(2)
    )
    known, point = LinearPair(decoder, encoder, MEAN, COVARIANCE), np.array([[0.3, -0.2, 0.5, 0.1]])
    p_of_x = scipy.stats.multivariate_normal(decoder[1], decoder[0] @ decoder[0].T + np.diag(decoder[2]))
    mean = encoder[0] @ point[0, :2] + encoder[1]
    q_of_z = scipy.stats.multivariate_normal(mean, np.diag(encoder[2])).logpdf(point[0, 2:])
    q_of_x = scipy.stats.multivariate_normal(MEAN, COVARIANCE).logpdf(point[0, :2])
    p_of_z = scipy.stats.multivariate_normal(np.zeros(2)).logpdf(point[0, 2:])
    f1 = known.log_ratios(point[:, :2], point[:, 2:])[0]
    np.testing.assert_allclose(f1, q_of_z + q_of_x - p_of_x.logpdf(point[0, :2]) - p_of_z)


def test_a_model_at_the_equilibrium_is_told_so(gaussians):
    model, data = gaussians
    for layer, law in zip((model.p_x_given_z.trunk, model.q_z_given_x.trunk), equilibrium()):
        set_law(layer, *law)
    found = log_ratios.measure(model, data, data.test, Settings())
    assert found["kl_q_p"] < 0.01 and found["kl_p_q"] < 0.01
    # r and g of new networks are next to 0, which is what they should be here.
    assert found["f1_correlation"] > 0.8 and found["f2_correlation"] > 0.8
    of_samples = critics.measure(model, data, data.test, Settings())
    assert abs(of_samples["two_sample_error"] - 0.5) < 0.08 and abs(of_samples["sample_spread"] - 1.0) < 0.1
    assert abs(of_samples["code_stddev"] - 1.0) < 0.1 and not critics.caveats(of_samples, data)
    assert log_ratios.headlines(found, data)[0].value.startswith("0.0")


def test_reconstructions_of_points_have_the_posteriors_error(gaussians):
    model, data = gaussians
    (a, b, s), (c, d, r) = equilibrium()
    for layer, law in zip((model.p_x_given_z.trunk, model.q_z_given_x.trunk), ((a, b, s), (c, d, r))):
        set_law(layer, *law)
    found = reconstruction.measure(model, data, data.test, Settings())
    left = np.eye(2) - a @ c  # x − x̂ = (I − A C) (x − μ).
    np.testing.assert_allclose(found["rmse"], np.sqrt(np.trace(left @ COVARIANCE @ left.T) / 2), rtol=0.05)
    np.testing.assert_allclose(found["z_rmse"], np.sqrt(r.mean()), rtol=0.1)


def test_one_point_for_all_is_told_as_a_collapse(gaussians):
    model, data = gaussians
    set_law(model.p_x_given_z.trunk, np.zeros([2, 2]), MEAN, np.full(2, 1e-6))
    set_law(model.q_z_given_x.trunk, 3.0 * np.eye(2), np.zeros(2), np.full(2, 1e-3))
    found = critics.measure(model, data, data.test, Settings())
    told = " ".join(measurement.caveats({**found, "bound_rows": len(data.test)}, data))
    assert "Samples are alike" in told and "has become an autoencoder" in told
    assert "lost the game" in told


def test_a_certain_critic_is_told_unless_it_is_given_its_certainty():
    metrics = {"critic_f_saturation": 0.99, "critic_kind": "mlp"}
    assert "teaches nothing" in critics.caveats(metrics, None)[0]
    assert not critics.caveats({**metrics, "critic_kind": "residual"}, None)


def test_the_energy_distance_is_zero_for_one_law_and_not_for_two(rng):
    x, y = (tf.constant(rng.normal(size=[2000, 2]), tf.float32) for _ in range(2))
    assert abs(np.mean(energy_distance_by_row(x, y))) < 0.02
    shifted = float(np.mean(energy_distance_by_row(x, y + 5.0)))
    np.testing.assert_allclose(shifted, 2 * np.mean(np.linalg.norm(x - y - 5.0, axis=1)) - 2 * 1.772, rtol=0.02)


def test_modes_of_the_ring_are_counted():
    data = load.load(
        load.Config(source="gaussians", name="ring", points_noise=0.1, transform=load.TransformConfig(scale="raw"))
    )

    class Half:
        """Draws four of the eight modes, and a quarter of its points far away."""

        def can(self, capability):
            return False

        def sample(self, num, seed):
            kept = data.train.image[data.train.label < 4][:num]
            return np.where(np.arange(num)[:, None] % 4 == 0, 9.0, kept).astype(np.float32)

    found = modes.measure(Half(), data, data.test, Settings())
    assert (found["modes_found"], found["modes"]) == (4, 8)
    np.testing.assert_allclose(found["in_modes"], 0.75, atol=0.02)
    assert "miss 4 of 8" in modes.caveats(found, data)[0]


def test_bits_by_cells_are_those_of_quadrature():
    """One Gaussian pixel with a decoder that ignores z and a q(z | x) that is the prior: the bound is exact."""
    experiment = tiny("asvae_faces")
    experiment.data = load.Config(labelled_batch=0, transform=load.TransformConfig(noise="dequantise", flatten=False))
    data = load.load(experiment.data)
    model = experiment.model.build(data.info, seed=0)
    for network in (model.p_x_given_z.trunk, model.q_z_given_x.trunk):
        for variable in network.trainable_variables:
            variable.assign(tf.zeros_like(variable))
    found = cells.measure(model, data, data.test, Settings(rows_limit=50))
    levels = np.asarray(data.test.take(np.arange(len(data.test))).image, np.float64)
    masses = np.diff(scipy.stats.norm.cdf(np.arange(257) / 256))[levels.astype(int)]
    expected = float(np.mean(-np.log2(masses)))
    np.testing.assert_allclose(found["cell_bits_per_dim"], expected, rtol=5e-3)


def test_a_sure_and_even_judge_gives_as_many_classes_as_there_are():
    assert sample_scores.inception_score(np.eye(4)[np.arange(400) % 4])[0] == pytest.approx(4.0)
    assert sample_scores.inception_score(np.full([400, 4], 0.25))[0] == pytest.approx(1.0)


def test_the_frechet_distance_is_that_of_the_gaussians(rng):
    points = rng.normal(size=[50_000, 3])
    other = 2.0 * rng.normal(size=[50_000, 3]) + [1.0, 0.0, 0.0]
    np.testing.assert_allclose(sample_scores.frechet_distance(points, other), 1.0 + 3.0, rtol=0.03)
    assert abs(sample_scores.frechet_distance(points, points)) < 1e-6


def test_samples_are_judged_by_a_keras_file_whose_name_is_told(dcgan, tmp_path):
    model, data = dcgan
    keras.utils.set_random_seed(0)
    judge = keras.Sequential([
        keras.Input([14, 14, 1]), keras.layers.Flatten(), keras.layers.Dense(6), keras.layers.Dense(10, "softmax"),
    ])  # fmt: skip
    judge.save(tmp_path / "judge.keras")
    found = sample_scores.measure(model, data, data.test, Settings(classifier=str(tmp_path / "judge.keras")))
    assert found["score_classifier"] == "judge.keras" and found["score_rows"] == len(data.test)
    assert 1.0 <= found["inception_score"] <= 10.0 and found["fid_floor"] >= 0.0
    told = sample_scores.headlines(found, data)
    assert all("judge.keras" in headline.name for headline in told)
    assert sample_scores.measure(model, data, data.test, Settings()) == {}


def test_a_saved_model_judges_too(tmp_path):
    class Judge(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32, name="image")])
        def __call__(self, image):
            dark = tf.reduce_mean(image, axis=[1, 2, 3])
            return {"probabilities": tf.stack([dark, 1.0 - dark], axis=1)}

    module = Judge()
    tf.saved_model.save(module, str(tmp_path / "judge"), signatures={"classify": module.__call__})
    probs, features = image_classifier.named(str(tmp_path / "judge")).judged(np.full([3, 8, 8, 1], 0.25, np.float32))
    np.testing.assert_allclose(probs, [[0.25, 0.75]] * 3)
    np.testing.assert_allclose(features, np.log(probs), atol=1e-6)


@pytest.mark.parametrize("name", ["nowhere", "inception_v3"])
def test_a_judge_that_is_not_there_is_told(name, monkeypatch, tmp_path):
    monkeypatch.setattr(keras.config, "keras_home", lambda: str(tmp_path), raising=False)
    with pytest.raises(ValueError, match="not there"):
        image_classifier.named(name)


def test_a_nearest_neighbour_tells_two_sets_apart_or_not(rng):
    points = rng.normal(size=[400, 2])
    assert critics.nearest_neighbour_error(points[:200], points[200:]) == pytest.approx(0.5, abs=0.1)
    assert critics.nearest_neighbour_error(points[:200], points[200:] + 50.0) == 0.0


def test_a_model_with_codes_of_its_own_draws_is_compared_with_draws():
    """Means of binary pixels would be told from data by their grays alone."""
    seen = types.SimpleNamespace(**vars(tiny("asvae_digits")))
    data = load.load(seen.data)
    model = seen.model.build(data.info, seed=0)
    samples = critics._samples(model, 20, tf.constant([1, 2]))
    assert set(np.unique(samples)) <= {0.0, 1.0}
