import numpy as np
import pytest

from tfvae.data import transforms
from tfvae.probability import noise


@pytest.fixture
def gray(rng):
    image = rng.integers(0, 256, [200, 4, 5, 1]).astype(np.uint8)
    image[:, 0, 1] = 7  # One pixel that never varies.
    return image


def fit(image, **config):
    return transforms.Transform.fit(transforms.Config(**config), image)


def test_binarisation_draws_each_pixel_by_its_intensity(gray):
    transform = fit(gray, noise="binarise")
    draws = np.mean([transform.observe(gray[:3], noise.seed(s)) for s in range(400)], axis=0)
    np.testing.assert_allclose(draws, transform.observe(gray[:3]), atol=0.12)
    np.testing.assert_allclose(transform.observe(gray[:3]), gray[:3].reshape(3, -1) / 255.0, rtol=1e-6)


def test_dequantisation_is_uniform_within_a_gray_level(gray):
    transform = fit(gray, noise="dequantise")
    levels = np.stack([transform.observe(gray[:3], noise.seed(s)) for s in range(50)]) * 256.0
    assert np.array_equal(np.floor(levels[0]), gray[:3].reshape(3, -1))
    np.testing.assert_allclose(np.mean(levels - gray[:3].reshape(3, -1)), 0.5, atol=0.02)


def test_pixels_that_do_not_vary_are_dropped_and_put_back(gray):
    transform = fit(gray, min_pixel_std=0.1)
    assert transform.image_shape == (19,)
    x = transform.observe(gray[:3])
    pictures = transform.picture(x).numpy()
    np.testing.assert_allclose(pictures, gray[:3] / 255.0, atol=1e-6)


def test_standardising_uses_training_statistics_only(rng):
    train = rng.integers(0, 256, [100, 4, 4, 3]).astype(np.uint8)
    test = np.full([2, 4, 4, 3], 255, np.uint8)
    transform = fit(train, scale="standardise")
    x = transform.observe(train).numpy().reshape(-1, 3)
    np.testing.assert_allclose(x.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(x.std(0), 1.0, atol=1e-4)
    np.testing.assert_allclose(transform.picture(transform.observe(test)), 1.0, atol=1e-5)


def test_channel_std_divides_without_shifting(rng):
    train = (rng.integers(0, 128, [100, 4, 4, 3]) * [1, 2, 1]).astype(np.uint8)
    transform = fit(train, scale="channel_std", noise="dequantise")
    x = transform.observe(train).numpy().reshape(-1, 3)
    expected = (train.reshape(-1, 3) + 0.5) / train.reshape(-1, 3).std(0)
    np.testing.assert_allclose(x, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "config",
    [{}, {"noise": "dequantise"}, {"scale": "channel_std"}, {"scale": "standardise"}, {"min_pixel_std": 0.1}],
)
def test_state_makes_the_same_transform_again_and_picture_inverts_observe(gray, config):
    import json

    transform = fit(gray, **config)
    again = transforms.Transform(transforms.Config(**config), json.loads(json.dumps(transform.state())))
    np.testing.assert_array_equal(transform.observe(gray[:2]), again.observe(gray[:2]))
    np.testing.assert_allclose(again.picture(again.observe(gray[:2])), gray[:2] / 255.0, atol=0.01)


def test_images_keep_their_shape_unless_flattened(gray):
    transform = fit(gray, flatten=False)
    assert transform.image_shape == (4, 5, 1)
    assert transform.observe(gray[:2]).shape == (2, 4, 5, 1)
