"""Images from files and from arrays become gray levels in one way."""

import numpy as np
import pytest
from PIL import Image

from tests.faults import odd_images
from tfvae.data import images


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (30, 47, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [0, 12, 30, 64])
@pytest.mark.parametrize("shape", [(30, 47), (47, 30), (30, 30)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_is_prepared_as_its_file_is(tmp_path, rng, size, shape, channels):
    image = rng.integers(0, 256, (*shape, channels), dtype=np.uint8)
    (tmp_path / "image.png").write_bytes(images.encode_png(image))
    read = images.read(tmp_path / "image.png", size, channels == 1)
    np.testing.assert_array_equal(images.prepared(image, size), read)
    np.testing.assert_array_equal(images.prepared(np.stack([image, image[::-1]]), size)[0], read)


def test_every_channel_of_a_pair_is_prepared_for_itself(rng):
    pair = rng.integers(0, 256, (5, 30, 40, 2), dtype=np.uint8)
    both = images.prepared(pair, 16)
    assert both.shape == (5, 16, 16, 2)
    for channel in range(2):
        np.testing.assert_array_equal(both[..., channel:][..., :1], images.prepared(pair[..., channel:][..., :1], 16))


def test_a_square_is_what_pillow_fits_where_it_resizes_rows_first(photo):
    from PIL import ImageOps

    fitted = ImageOps.fit(Image.fromarray(photo), (12, 12), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(images.prepared(photo, 12), fitted)


def test_webp_is_read_upright_and_its_transparency_on_white(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "plain.webp", lossless=True)
    np.testing.assert_array_equal(images.read(tmp_path / "plain.webp"), photo)
    assert images.check(tmp_path / "plain.webp") == images.Look((30, 47), False)
    Image.fromarray(photo).save(tmp_path / "turned.webp", lossless=True, exif=odd_images.exif(6))
    np.testing.assert_array_equal(images.read(tmp_path / "turned.webp"), np.rot90(photo, -1))
    clear = np.dstack([photo, np.zeros((30, 47), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.webp", lossless=True, exact=True)
    assert (images.read(tmp_path / "clear.webp") == 255).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "MPO"])
def test_every_format_is_checked_and_read(tmp_path, photo, form):
    more = {"save_all": True, "append_images": [Image.fromarray(255 - photo)]} if form in ("GIF", "WEBP", "MPO") else {}
    Image.fromarray(photo).save(tmp_path / "image", form, **more)
    assert images.check(tmp_path / "image").size == (30, 47)
    assert np.abs(images.read(tmp_path / "image").astype(int) - photo).mean() < 60, "the first of several pictures"


def test_gray_is_seen_whatever_the_mode(tmp_path, rng):
    level = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    for name, array in {"L": level, "RGB": np.dstack([level] * 3), "LA": np.dstack([level, level])}.items():
        Image.fromarray(array, name).save(tmp_path / f"{name}.png")
        assert images.check(tmp_path / f"{name}.png").gray
    Image.fromarray(np.dstack([level, level, 255 - level])).save(tmp_path / "colour.png")
    assert not images.check(tmp_path / "colour.png").gray
