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


@pytest.fixture
def photos(rng):
    """Ninety noisy images of 6×7 with three channels, some dim, some bright."""
    base = rng.random([90, 6, 7, 3]) * rng.uniform(0.2, 1.0, [90, 1, 1, 1])
    return np.round(255 * base).astype(np.uint8)


def test_global_contrast_gives_every_image_mean_0_and_deviation_1(photos):
    x = fit(photos, contrast="global", flatten=False).observe(photos).numpy()
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1.0, rtol=1e-4)


@pytest.mark.parametrize("contrast", ["global", "local"])
def test_contrast_does_not_see_brightness_or_scale(contrast, photos):
    transform = fit(photos, contrast=contrast, flatten=False)
    dim = photos[:3].astype("float32")
    np.testing.assert_allclose(transform.observe(dim), transform.observe(0.5 * dim + 20.0), atol=1e-4)


def test_an_image_without_contrast_stays_zero():
    for contrast in ("global", "local"):
        x = fit(np.full([4, 12, 12, 3], 80, np.uint8), contrast=contrast, flatten=False).observe(
            np.full([1, 12, 12, 3], 80, np.uint8)
        )
        np.testing.assert_allclose(x, 0.0, atol=1e-3)  # Rounding, against deviations of 1.


def test_whitened_training_images_have_the_identity_as_covariance(rng):
    mixing = rng.normal(size=[12, 12])
    rows = np.clip(128 + 20 * rng.normal(size=[4000, 12]) @ mixing, 0, 255).astype(np.uint8).reshape(-1, 2, 2, 3)
    transform = fit(rows, whiten=True, whiten_epsilon=1e-6)
    x = transform.observe(rows).numpy()
    np.testing.assert_allclose(np.cov(x.T), np.eye(12), atol=0.02)
    np.testing.assert_allclose(transform.picture(x[:5]), rows[:5] / 255.0, atol=1e-3)


def test_whitening_is_fitted_again_from_the_same_rows(photos):
    transform = fit(photos, contrast="global", whiten=True, flatten=False)
    again = transforms.Transform(transform.config, transform.state()).whitened_on(photos)
    np.testing.assert_array_equal(transform.observe(photos[:4]), again.observe(photos[:4]))


def test_translations_move_by_at_most_so_much_and_fill_with_black(photos):
    from tfvae.data import augmentation

    moved = augmentation.translated(photos, 2, noise.seed(0)).numpy()
    padded = np.pad(photos, [(0, 0), (2, 2), (2, 2), (0, 0)])
    places = set()
    for image, frame in zip(moved, padded):
        found = [(i, j) for i in range(5) for j in range(5) if np.array_equal(image, frame[i : i + 6, j : j + 7])]
        assert found
        places.update(found)
    assert len(places) > 15


def test_half_of_the_images_are_mirrored(photos):
    from tfvae.data import augmentation

    flipped = augmentation.flipped(photos, noise.seed(1)).numpy()
    mirrored = (flipped == photos[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((flipped == photos).all(axis=(1, 2, 3)) | mirrored).all() and 30 < mirrored.sum() < 60


def test_only_training_batches_are_augmented():
    from tfvae.data import load

    config = load.Config(transform=transforms.Config(translate=2, flatten=False))
    plain = load.load(load.Config(transform=transforms.Config(flatten=False)))
    moved = load.load(config)
    np.testing.assert_array_equal(moved.observe(moved.test), plain.observe(plain.test))
    batches = [next(iter(data.training_batches(0)))["labelled"]["image"] for data in (plain, moved)]
    assert not np.array_equal(*batches)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"contrast": "sideways"}, "must be one of"),
        ({"contrast": "global", "noise": "dequantise"}, "no place for noise"),
        ({"whiten": True, "scale": "standardise"}, "set the scale themselves"),
        ({"translate": -1}, "translate` must be an integer in"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused(config, told, photos):
    with pytest.raises(ValueError, match=told):
        fit(photos, **config)


def test_points_have_no_contrast(rng):
    with pytest.raises(ValueError, match="are of images"):
        fit(rng.random([10, 2]).astype("float32"), contrast="global", flatten=True)
