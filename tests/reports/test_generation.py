import numpy as np
import pytest
import tensorflow as tf

from tfvae.reports import generation


def test_every_image_lies_in_its_cell_and_gaps_are_white():
    images = np.arange(5, dtype=np.float32)[:, None, None, None] / 5 * np.ones([5, 3, 2, 1])
    grid = generation.grid(images, columns=3)
    assert grid.shape == (2 * 4 + 1, 3 * 3 + 1, 1)
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid[5:8, 4:6, 0], round(255 * 4 / 5))
    np.testing.assert_array_equal(grid[5:8, 7:9, 0], 255)  # the line is filled up with white
    np.testing.assert_array_equal(grid[[0, 4, 8]], 255)


def test_stereo_pairs_lie_side_by_side_and_colours_stay():
    pair = np.stack([np.zeros([1, 4, 4]), np.ones([1, 4, 4])], axis=-1)
    grid = generation.grid(pair, columns=1)
    assert grid.shape == (6, 10, 1)
    assert grid[2, 2, 0] == 0
    assert grid[2, 7, 0] == 255
    assert generation.grid(np.zeros([2, 4, 4, 3]), columns=2).shape == (6, 11, 3)


def test_a_nan_pixel_is_black_and_values_are_clipped():
    grid = generation.grid(np.array([np.nan, -3.0, 7.0, 0.5]).reshape(4, 1, 1, 1), columns=4, gap=0)
    np.testing.assert_array_equal(grid.ravel(), [0, 0, 255, 128])


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="A grid needs images"):
        generation.grid(np.zeros([0, 2, 2, 1]), columns=2)


def test_pictures_of_a_class_conditional_model(small_sdgm, digits):
    pictures = generation.pictures(small_sdgm, digits)
    assert set(pictures) == {"samples", "reconstructions", "analogies", "class_samples"}
    assert pictures["samples"].shape == (8 * 9 + 1, 8 * 9 + 1, 1)
    assert pictures["analogies"].shape == (10 * 9 + 1, 11 * 9 + 1, 1)  # the original and ten classes
    assert pictures["class_samples"].shape == (8 * 9 + 1, 10 * 9 + 1, 1)
    again = generation.pictures(small_sdgm, digits)
    assert all(np.array_equal(pictures[name], again[name]) for name in pictures)
    other = generation.pictures(small_sdgm, digits, seed=1)
    assert not np.array_equal(pictures["samples"], other["samples"])


def test_a_vae_has_no_classes_to_draw(small_vae, digits):
    assert set(generation.pictures(small_vae, digits)) == {"samples", "reconstructions"}
    with pytest.raises(ValueError, match="no classes"):
        generation.sampled(small_vae, digits, 2, label=1)


def test_originals_stand_above_their_reconstructions(small_vae, digits):
    rows = digits.test.take(np.arange(11))
    grid = generation.reconstructions(small_vae, digits, rows, columns=4)
    first = digits.transform.picture(digits.observe(rows.take([5])))
    np.testing.assert_array_equal(grid[19:27, 10:18], np.round(255 * first[0]))  # third line, second column
    below = digits.transform.picture(small_vae.reconstruct(digits.observe(rows)))[5]
    np.testing.assert_allclose(grid[28:36, 10:18], 255 * below, atol=1.0)


def test_an_analogy_begins_with_its_original(small_sdgm, digits):
    rows = generation.one_of_each_class(digits.test, 10)
    np.testing.assert_array_equal(rows.label, np.arange(10))
    grid = generation.analogies(small_sdgm, digits, rows)
    original = digits.transform.picture(digits.observe(rows)).numpy()[3]
    np.testing.assert_array_equal(grid[28:36, 1:9], np.round(255 * original))


def test_classes_share_the_style_of_their_line(small_sdgm, digits):
    grid = generation.class_samples(small_sdgm, digits, seed=4, num=2)
    alone = generation.sampled(small_sdgm, digits, 2, seed=4, label=7)
    np.testing.assert_allclose(grid[10:18, 64:72], 255 * alone[1], atol=1.0)


def test_a_class_that_does_not_exist_is_told(small_sdgm, digits):
    with pytest.raises(ValueError, match="0 to 9, got 10"):
        generation.sampled(small_sdgm, digits, 2, label=10)


def test_points_have_no_pictures(small_vae, plain_data, rng):
    data = plain_data(rng.normal(size=(5, 2)))
    assert generation.pictures(small_vae, data) == {}
    with pytest.raises(ValueError, match="rows have shape"):
        generation.sampled(small_vae, data, 3)


def test_a_png_is_enlarged_by_whole_pixels():
    picture = np.random.default_rng(0).integers(0, 256, [4, 6, 3]).astype(np.uint8)
    decoded = tf.io.decode_png(generation.png(picture, min_width=20)).numpy()
    assert decoded.shape == (16, 24, 3)
    np.testing.assert_array_equal(decoded[::4, ::4], picture)
