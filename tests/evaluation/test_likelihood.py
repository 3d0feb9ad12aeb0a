import types

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import transforms
from tfvae.evaluation import batched, likelihood
from tfvae.evaluation.measurement import Settings
from tfvae.probability import noise


class Weights:
    """log w of draw s of chunk with that seed, the same for every row: what a bound in chunks must average."""

    num_classes, widest_layer, likelihood = 0, 1, None
    image_shape = (2,)

    def log_w(self, num_samples, seed):
        return 3.0 * noise.normal([num_samples], seed)

    def log_prob_bound(self, image, num_samples, seed):
        bound = tf.reduce_logsumexp(self.log_w(num_samples, seed)) - np.log(num_samples)
        return bound + tf.zeros(image.shape[0])


def test_chunks_give_what_one_pass_over_all_draws_gives(rng):
    log_w = rng.normal(size=(12, 5)) * 4.0 - 900.0
    sizes = [5, 5, 2]
    chunks = np.split(log_w, np.cumsum(sizes)[:-1])
    bounds = np.stack([np.logaddexp.reduce(chunk) - np.log(len(chunk)) for chunk in chunks])
    np.testing.assert_allclose(
        likelihood.log_mean_of_chunks(bounds, sizes), np.logaddexp.reduce(log_w) - np.log(12), rtol=1e-12
    )


def test_draws_are_split_into_chunks_that_fit(plain_data):
    data, model = plain_data(np.ones([4, 2])), Weights()
    bounds = likelihood.log_prob_bounds(model, data, data.test, num_samples=12, max_draws=20)
    log_w = np.concatenate([model.log_w(size, noise.seed(0, 0, part)) for part, size in enumerate((5, 5, 2))])
    np.testing.assert_allclose(bounds, np.logaddexp.reduce(log_w) - np.log(12), rtol=1e-5)
    assert batched.chunk_sizes(12, 5) == [5, 5, 2]
    assert batched.chunk_sizes(10, 5) == [5, 5]


def test_bound_rises_to_the_evidence_of_a_linear_gaussian_model(linear_gaussian, plain_data, rng):
    data = plain_data(rng.normal(size=(40, 3)))
    evidence = linear_gaussian.evidence(data.test.image)
    means = [
        likelihood.log_prob_bounds(linear_gaussian, data, data.test, k, max_draws=4000).mean() for k in (1, 10, 2000)
    ]
    assert means[0] < means[1] < means[2]
    bounds = likelihood.log_prob_bounds(linear_gaussian, data, data.test, 20_000, max_draws=40_000)
    np.testing.assert_allclose(bounds, evidence, atol=0.1)
    assert bounds.mean() == pytest.approx(evidence.mean(), abs=0.01)


def test_equal_seeds_repeat_and_batches_differ_in_noise(linear_gaussian, plain_data):
    data = plain_data(np.ones([6, 3]))
    first, again = (
        likelihood.log_prob_bounds(linear_gaussian, data, data.test, 1, seed=3, batch_size=3) for _ in (0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert first[0] != first[3]
    assert len(set(data.seeds)) == 2  # a seed for each batch, the same in both evaluations
    assert None not in data.seeds


def test_a_random_subset_is_seeded_and_reported(linear_gaussian, plain_data, rng):
    data = plain_data(rng.normal(size=(30, 3)))
    settings = Settings(iw_samples=5, rows_limit=7)
    result, again = (likelihood.measure(linear_gaussian, data, data.test, settings) for _ in range(2))
    assert (result["bound_rows"], result["iw_samples"]) == (7, 5)
    assert result | {"bound_seconds": again["bound_seconds"]} == again
    one, two = batched.subset(data.test, 7, seed=0), batched.subset(data.test, 7, seed=1)
    assert not np.array_equal(one.image, two.image)
    assert len(np.unique(one.image[:, 0])) == 7
    assert batched.subset(data.test, 0) is data.test


def test_no_rows_and_no_draws_are_refused(linear_gaussian, plain_data):
    data = plain_data(np.ones([2, 3]))
    with pytest.raises(ValueError, match="no rows"):
        likelihood.log_prob_bounds(linear_gaussian, data, data.test.take([]), 1)
    with pytest.raises(ValueError, match="at least 1"):
        likelihood.log_prob_bounds(linear_gaussian, data, data.test, 0)


def _fitted(rng, **config):
    images = rng.integers(0, 256, [50, 2, 2, 3]).astype(np.uint8)
    return types.SimpleNamespace(transform=transforms.Transform.fit(transforms.Config(**config), images))


def _model(name, dims):
    return types.SimpleNamespace(image_shape=(dims,), likelihood=name)


def test_uniform_gray_levels_are_eight_bits(rng):
    unit = _fitted(rng, noise="none", scale="unit")
    bound = 12 * np.log(1 / 256)
    assert likelihood.bits_per_dim(_model("discretised_logistic", 12), unit, bound) == pytest.approx(8.0)


@pytest.mark.parametrize("scale", ["unit", "channel_std", "standardise"])
def test_bits_of_dequantised_images_do_not_depend_on_their_scaling(rng, scale):
    data = _fitted(rng, noise="dequantise", scale=scale)
    # The density of a uniform gray level in [0, 256) after division is (divisor / 256) in each channel.
    bound = 4 * np.log(np.broadcast_to(data.transform.divisor, [3]) / 256).sum()
    assert likelihood.bits_per_dim(_model("gaussian", 12), data, bound) == pytest.approx(8.0, rel=1e-5)


def test_bits_are_not_claimed_where_the_likelihood_is_none_of_gray_levels(rng):
    binary = _fitted(rng, noise="binarise", scale="unit")
    assert likelihood.bits_per_dim(_model("bernoulli", 12), binary, -5.0) is None
    assert likelihood.bits_per_dim(_model("gaussian", 12), binary, -5.0) is None
