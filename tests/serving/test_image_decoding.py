import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfvae.data import images, records
from tfvae.serving import image_decoding

SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def decode():
    return _served(image_decoding.decode_images)


def _served(function, **limits):
    """As it is served: traced once for any batch."""
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda rows: function(rows, SHAPE, **limits), input_signature=signature, autograph=False)


@pytest.fixture(scope="module")
def photo():
    """A smooth uint8 [60, 80, 4] image with transparency."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 4), dtype=np.uint8))
    return np.asarray(coarse.resize((80, 60), Image.Resampling.BICUBIC))


def _file(array, kind, **options):
    content = io.BytesIO()
    Image.fromarray(array).save(content, kind, **options)
    return content.getvalue()


def _png_header(width, height):
    """A PNG that ends after its header: whoever decodes it fails."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return image_decoding.PNG + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def _damaged(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def test_other_sizes_and_colours_are_read_as_in_training(photo, tmp_path):
    files = [
        _file(photo, "PNG"), _file(photo[..., :3], "PNG"), _file(photo[..., 0], "PNG"),
        _file(photo[..., :3], "JPEG", quality=95), _file(photo[..., 0], "JPEG"), _file(photo[:20, :20, :3], "PNG"),
    ]  # fmt: skip
    for gray in (False, True):
        served = image_decoding.decode_images(files, (24, 24, 1 if gray else 3)).numpy()
        for index, content in enumerate(files):
            path = tmp_path / f"{index}"
            path.write_bytes(content)
            trained = images.read(path, 24, gray).astype(np.float32)
            assert np.abs(served[index] - trained).mean() < 0.5, (index, gray)


def test_an_image_of_the_right_size_is_exact(photo, decode):
    image = photo[:8, :8, :3]
    np.testing.assert_array_equal(decode([_file(image, "PNG")])[0], image)


def test_gray_from_colour_weights_green_most(photo):
    pixel = np.zeros((2, 2, 3), np.uint8)
    pixel[..., 1] = 200
    assert image_decoding.decode_images([_file(pixel, "PNG")], (2, 2, 1)).numpy()[0, 0, 0, 0] == round(0.587 * 200)


@pytest.mark.parametrize(
    "fault", ["empty", "text", "short", "truncated_png", "truncated_jpeg", "damaged_png", "tiff", "gif", "no_pixels"]
)
def test_a_bad_row_fails_the_batch_and_is_named(decode, photo, fault):
    image = photo[:8, :8, :3]
    png = _file(image, "PNG")
    bad = {
        "empty": b"",
        "text": b"no image at all",
        "short": png[:12],
        "truncated_png": png[: len(png) // 2],
        "truncated_jpeg": _file(image, "JPEG")[:-200],
        "damaged_png": _damaged(png),
        "tiff": _file(image, "TIFF"),
        "gif": _file(image, "GIF"),
        "no_pixels": _png_header(0, 8),
    }[fault]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no readable PNG or JPEG image.*\[1 3\]"):
        decode([png, bad, png, bad])


@pytest.mark.parametrize("side", [15_000, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_from_its_header(decode, photo, side):
    png = _file(photo[:8, :8, :3], "PNG")
    # Nothing but the header is there, so "unreadable" would say that it was decoded.
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"more than 25000000 pixels.*\[2\]"):
        decode([png, png, _png_header(side, side)])


def test_a_jpeg_bomb_is_refused_too(photo):
    decode = _served(image_decoding.decode_images, max_pixels=4000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"more than 4000 pixels.*\[0\]"):
        decode([_file(photo[..., :3], "JPEG")])


def test_an_example_that_is_none_is_named(photo):
    image = photo[:8, :8, :3]
    good, other_shape = records.serialise(image), records.serialise(photo[:4, :4, :3])
    decode = _served(image_decoding.decode_examples)
    np.testing.assert_array_equal(decode([good])[0], image)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no readable.*\[1 2 3\]"):
        decode([good, b"\xff\xffjunk", b"", other_shape])


def _exif(orientation, order, offset=8):
    """A TIFF header and one directory with a foreign entry before the orientation, in either byte order."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", offset)
    make = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"abc\0")
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + header + struct.pack(f"{order}H", 2) + make + entry + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize("order", "<>")
def test_a_photo_is_turned_as_in_training(photo, tmp_path, order):
    upright = _served_shape((60, 80, 3))
    for orientation in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9):
        stored = photo[..., :3] if orientation < 5 or orientation > 8 else photo[..., :3].transpose(1, 0, 2)
        content = _file(stored, "JPEG", quality=95, exif=_exif(orientation, order))
        (tmp_path / "photo.jpg").write_bytes(content)
        read = images.read(tmp_path / "photo.jpg")
        assert read.shape == (60, 80, 3)
        np.testing.assert_allclose(upright([content])[0], read, atol=1)


def test_a_broken_orientation_turns_nothing(photo):
    decode = _served_shape((60, 80, 3))
    plain = decode([_file(photo[..., :3], "JPEG")])
    whole = _exif(6, "<")
    for exif in (
        whole[:6],
        whole[:12],
        whole[:20],
        whole[:-14],
        _exif(6, "<", offset=2**31),
        b"Exif\0\0" + b"\xff" * 90,
    ):
        np.testing.assert_array_equal(decode([_with_segment(_file(photo[..., :3], "JPEG"), exif)]), plain)


def test_a_png_is_never_turned(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    content = _file(photo[..., :3], "PNG", exif=exif)
    (tmp_path / "photo.png").write_bytes(content)
    np.testing.assert_array_equal(images.read(tmp_path / "photo.png"), photo[..., :3])
    np.testing.assert_array_equal(_served_shape((60, 80, 3))([content])[0], photo[..., :3])


def _served_shape(shape):
    signature = [tf.TensorSpec([None], tf.string)]
    function = tf.function(
        lambda rows: image_decoding.decode_images(rows, shape), input_signature=signature, autograph=False
    )
    return lambda rows: function(tf.constant(rows)).numpy()


def _with_segment(jpeg, content):
    """A JPEG with an APP1 segment of this content, put before all others."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]
