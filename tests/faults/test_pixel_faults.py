"""What is served is what was trained: files of every kind through training's reader and through the served graph."""

import itertools
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.faults import odd_images
from tfvae.data import images
from tfvae.serving import image_decoding

HEIGHT, WIDTH = 12, 20
PNG_GRID = [
    (colour, depth, transparent, interlaced)
    for colour, (number, _, depths) in odd_images.PNG_TYPES.items()
    for depth in depths
    for transparent in ((False, True) if number in (0, 2, 3) else (False,))
    for interlaced in (False, True)
]


@pytest.fixture(scope="module")
def served():
    """(files, shape) -> float32 [B, H, W, C] of the served graph, traced once for a shape."""
    functions = {}

    def ask(files, shape=(HEIGHT, WIDTH, 3)):
        if shape not in functions:
            functions[shape] = tf.function(
                lambda rows: image_decoding.decode_images(rows, shape), autograph=False,
                input_signature=[tf.TensorSpec([None], tf.string)],
            )  # fmt: skip
        return functions[shape](tf.constant(files, tf.string)).numpy()

    return ask


@pytest.fixture
def trained(tmp_path):
    """(file, settings of `images.read`) -> int64 [H, W, C]."""

    def read(content, *args):
        (tmp_path / "image").write_bytes(content)
        images.check(tmp_path / "image")
        return images.read(tmp_path / "image", *args).astype(np.int64)

    return read


@pytest.fixture(scope="module")
def photo():
    """A smooth uint8 [12, 20, 4] image with transparency."""
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 4), dtype=np.uint8))
    return np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def a_png(colour, depth, transparent, interlaced, shape=(HEIGHT, WIDTH)):
    """Noise, one pixel of which has the transparent colour, and its neighbour one that differs in the last bit."""
    rng = np.random.default_rng(depth)
    number, channels, _ = odd_images.PNG_TYPES[colour]
    levels = rng.integers(0, 2**depth, (*shape, channels)).astype(np.int64)
    levels[3, 4] = levels[3, 3] ^ 1
    palette = rng.integers(0, 256, (2**depth, 3)) if number == 3 else None
    key = None
    if transparent:
        opacities = rng.integers(0, 256, 2**depth).astype(np.uint8).tobytes()
        key = opacities if number == 3 else struct.pack(f">{channels}H", *levels[3, 3])
    return odd_images.png(levels, depth, number, palette=palette, transparent=key, interlaced=interlaced)


@pytest.mark.parametrize("channels", [1, 3])
def test_pngs_of_every_depth_colour_and_transparency_are_the_same_pixels(served, trained, channels, survives):
    files = [a_png(*kind) for kind in PNG_GRID]
    answers = served(files, (HEIGHT, WIDTH, channels))
    for kind, content, answer in zip(PNG_GRID, files, answers, strict=True):
        with survives(f"52 PNG, {kind[1]} bits, {kind[0]}, transparent {kind[2]}, interlaced {kind[3]}, {channels}"):
            np.testing.assert_array_equal(answer, trained(content, 0, channels == 1), err_msg=str(kind))


def test_a_png_of_few_levels_is_what_it_shows(served, trained):
    """Both readers might agree on nonsense: black, white and a level between at every depth."""
    for depth in (1, 2, 4, 8, 16):
        largest = 2**depth - 1
        levels = np.array([[0, largest, 1, largest // 2]])[..., None].repeat(2, 0)
        shown = np.round(255 * levels / largest) if depth < 16 else levels >> 8
        content = odd_images.png(levels, depth, 0)
        np.testing.assert_array_equal(served([content], (2, 4, 1))[0], shown)
        np.testing.assert_array_equal(trained(content, 0, True), shown)
        clear = odd_images.png(levels, depth, 0, transparent=struct.pack(">H", 0))
        np.testing.assert_array_equal(trained(clear, 0, True), np.where(levels == 0, 255, shown))
    palette = [[10, 20, 30], [200, 100, 0]]
    content = odd_images.png(np.array([[0, 1]])[..., None], 1, 3, palette=palette)
    np.testing.assert_array_equal(served([content], (1, 2, 3))[0, 0], palette)
    np.testing.assert_array_equal(trained(content)[0], palette)


def odd_headers():
    """{name: file}: where Pillow and libpng read the same header in two ways."""
    rng = np.random.default_rng(1)
    levels, palette = rng.integers(0, 16, (HEIGHT, WIDTH, 1)), rng.integers(0, 256, (16, 3))
    few, key = palette[:8], lambda *levels: struct.pack(f">{len(levels)}H", *levels)
    png, opacities = odd_images.png, bytes([0, 100, 255])
    return {
        "colours beyond the palette": png(levels, 4, 3, palette=few),
        "opacities of the first colours": png(levels, 8, 3, palette=palette, transparent=opacities),
        "one clear colour": png(levels, 8, 3, palette=palette, transparent=b"\xff\xff\0"),
        "more opacities than colours": png(levels, 4, 3, palette=few, transparent=opacities * 3),
        "more opacities than colours of 8 bits": png(levels, 8, 3, palette=few, transparent=opacities * 9),
        "opacities before the palette": png(levels, 4, 3, palette=few, before=[(b"tRNS", opacities)]),
        "no opacity": png(levels, 4, 3, palette=few, transparent=b""),
        "a level beyond 1 bit": png(levels & 1, 1, 0, transparent=key(0x0102)),
        "a level beyond 4 bits": png(levels, 4, 0, transparent=key(0x0103)),
        "a level beyond 8 bits": png(levels, 8, 0, transparent=key(0x0103)),
        "two levels": png(levels, 4, 0, transparent=key(3, 4)),
        "a colour beyond 8 bits": png(levels.repeat(3, 2), 8, 2, transparent=key(0x0103, 3, 3)),
        "transparency beside alpha": png(levels.repeat(4, 2) * 16, 8, 6, transparent=key(3, 3, 3)),
        "a palette beside colours": png(levels.repeat(3, 2), 8, 2, palette=palette),
        "gamma and background": png(levels, 8, 0, before=[(b"gAMA", bytes(4)), (b"bKGD", key(3))]),
        "three thousand remarks": png(levels, 4, 0, before=[(b"tEXt", b"a\0b")] * 3000, transparent=key(3)),
        "an unknown remark": png(levels, 4, 0, before=[(b"abCd", b"x")]),
        "more behind it": png(levels, 4, 0) + bytes(99),
    }


def test_pngs_with_odd_headers_are_the_same_pixels(served, trained, survives):
    files = odd_headers()
    for (kind, content), answer in zip(files.items(), served(list(files.values())), strict=True):
        with survives(f"52 PNG, {kind}"):
            np.testing.assert_array_equal(answer, trained(content), err_msg=kind)


def jpegs(photo):
    """{name: file} of every colour space that a JPEG may be stored in."""
    rgb, gray = photo[..., :3], photo[..., 0]
    cmyk = odd_images.jpeg(Image.fromarray(photo, "CMYK"))
    stored_rgb = odd_images.jpeg(rgb, keep_rgb=True)
    found, scan = odd_images.segments(cmyk)
    ycck = [(m, c[:-1] + b"\2" if m == 0xEE else c) for m, c in found]
    return {
        "gray": odd_images.jpeg(gray),
        "YCbCr": odd_images.jpeg(rgb, subsampling="4:4:4"),
        "YCbCr, subsampled": odd_images.jpeg(rgb, subsampling="4:2:2"),
        "YCbCr, subsampled twice": odd_images.jpeg(rgb, subsampling="4:2:0"),
        "progressive": odd_images.jpeg(rgb, progressive=True),
        "progressive gray": odd_images.jpeg(gray, progressive=True),
        "restart markers": odd_images.jpeg(rgb, restart_marker_blocks=1),
        "RGB, Adobe": stored_rgb,
        "RGB by its identifiers": odd_images.without(stored_rgb, 0xEE),
        "CMYK, Adobe": cmyk,
        "CMYK": odd_images.without(cmyk, 0xEE),
        "YCCK": odd_images.jpeg_of_segments(ycck, scan),
        "no JFIF": odd_images.without(odd_images.jpeg(rgb), 0xE0),
        "two photos": odd_images.jpeg(rgb) + odd_images.jpeg(255 - rgb),
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_jpegs_of_every_colour_space_are_the_same_pixels_within_a_gray_level(
    served, trained, photo, channels, survives
):
    kinds = jpegs(photo)
    answers = served(list(kinds.values()), (HEIGHT, WIDTH, channels))
    for (kind, content), answer in zip(kinds.items(), answers, strict=True):
        with survives(f"52 JPEG, {kind}, {channels}"):
            np.testing.assert_allclose(answer, trained(content, 0, channels == 1), atol=1, err_msg=kind)


def arrangements(orientation):
    """{name: segments of metadata}: what stands before, after and around the orientation."""
    jfif = (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    turned = (0xE1, odd_images.exif(orientation))
    profile = [(0xE2, b"ICC_PROFILE\0" + bytes([i + 1, 12]) + bytes(65_500)) for i in range(12)]
    xmp = (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    comment = (0xFE, b"taken by hand, Exif\0\0")
    return {
        "JFIF, EXIF": [jfif, turned],
        "EXIF, JFIF": [turned, jfif],
        "EXIF alone": [turned],
        "a large profile before it": [jfif, *profile, turned],
        "a large profile after it": [jfif, turned, *profile],
        "XMP before it": [jfif, xmp, turned],
        "comments around it": [comment, jfif, comment, turned, comment],
        "a hundred segments before it": [jfif, *[(0xE0 + i % 16, b"") for i in range(1, 101) if i % 16 != 1], turned],
        "two of them": [jfif, turned, (0xE1, odd_images.exif(1))],
        "an empty one before it": [jfif, (0xE1, b"Exif\0\0"), turned],
    }


def test_metadata_of_every_size_and_order_turns_both_alike(served, trained, photo, survives):
    stored, scan = odd_images.segments(odd_images.without(odd_images.jpeg(photo[..., :3]), 0xE0))
    kinds = {
        (name, fill): odd_images.jpeg_of_segments([*metadata, *stored], scan, fill)
        for name, metadata in arrangements(6).items()
        for fill in (0, 3)
    }
    upright = trained(odd_images.jpeg(photo[..., :3]))
    turned = np.rot90(upright, -1)
    answers = served(list(kinds.values()), (WIDTH, HEIGHT, 3))
    for ((name, fill), content), answer in zip(kinds.items(), answers, strict=True):
        with survives(f"52 JPEG, {name}, {fill} bytes of filling"):
            if name == "an empty one before it":
                assert trained(content).shape == upright.shape, "the first one counts"
                np.testing.assert_allclose(served([content])[0], upright, atol=1)
                continue
            np.testing.assert_array_equal(trained(content), turned, err_msg=name)
            np.testing.assert_allclose(answer, turned, atol=1, err_msg=name)


def test_an_orientation_is_read_in_every_type_and_order_of_bytes(served, trained, photo, survives):
    whole = [(kind, order) for kind in (3, 4, 6, 8, 9) for order in "<>"]
    upright = trained(odd_images.jpeg(photo[..., :3]))
    for orientation in range(1, 9):
        stored = _as_stored(photo[..., :3], orientation)
        files = [odd_images.jpeg(stored, exif=odd_images.exif(orientation, order, kind)) for kind, order in whole]
        want = trained(files[0])
        assert np.abs(want - upright).mean() < 8, "a JPEG of the turned image is not the turned JPEG"
        for kind, content, answer in zip(whole, files, served(files), strict=True):
            with survives(f"52 JPEG, orientation {orientation} of type {kind[0]}, {kind[1]}"):
                np.testing.assert_array_equal(trained(content), want)
                np.testing.assert_allclose(answer, want, atol=1)


@pytest.mark.parametrize(
    ("value", "kind", "count"), [(6.0, 11, 1), (6, 1, 1), (6, 3, 2), (0, 3, 1), (9, 3, 1), (-6, 8, 1)]
)
def test_what_is_no_orientation_turns_neither(served, trained, photo, value, kind, count, survives):
    plain = trained(odd_images.jpeg(photo[..., :3]))
    with survives(f"52 JPEG, no orientation: {value} of type {kind}, {count} times"):
        content = odd_images.jpeg(photo[..., :3], exif=odd_images.exif(value, ">", kind, count))
        np.testing.assert_array_equal(trained(content), plain)
        np.testing.assert_allclose(served([content])[0], plain, atol=1)


def _as_stored(image, orientation):
    """What a camera stores of an image, so that it is seen upright once it is turned as the orientation says."""
    image = image[::-1] if orientation in (3, 4, 7, 8) else image
    image = image[:, ::-1] if orientation in (2, 3, 6, 7) else image
    return np.ascontiguousarray(image.transpose(1, 0, 2) if orientation > 4 else image)


SIZES = ((60, 80), (80, 60), (61, 47), (9, 33), (33, 9), (24, 24), (200, 24), (7, 5))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_other_sizes_are_the_same_pixels_within_a_gray_level(served, trained, channels, survives):
    """Noise, which no two ways of resizing agree on by chance."""
    stored = (("rgb", 8), ("gray_alpha", 8), ("palette", 4))
    kinds = [(size, *kind) for size, kind in itertools.product(SIZES, stored)]
    files = [a_png(colour, depth, False, False, size) for size, colour, depth in kinds]
    answers = served(files, (24, 24, channels))
    for kind, content, answer in zip(kinds, files, answers, strict=True):
        with survives(f"52 PNG of {kind}, {channels}"):
            np.testing.assert_allclose(answer, trained(content, 24, channels == 1), atol=1, err_msg=str(kind))


def test_a_photo_of_another_size_is_the_same_within_two_gray_levels(served, trained):
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    content = odd_images.jpeg(coarse.resize((160, 120), Image.Resampling.BICUBIC), exif=odd_images.exif(6))
    np.testing.assert_allclose(served([content], (24, 24, 3))[0], trained(content, 24), atol=2)


def _refused():
    noise = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH, 1))
    whole = odd_images.png(noise, 8, 0)
    palette = odd_images.png(noise, 8, 3, palette=[[1, 2, 3], [4, 5, 6]])
    return {
        "a depth of 3 bits": odd_images.png(noise, 3, 0),
        "a colour type of 5": odd_images.png(noise, 8, 5),
        "a palette of 16 bits": odd_images.png(noise, 16, 3, palette=[[1, 2, 3], [4, 5, 6]]),
        "no palette": odd_images.png(noise, 8, 3),
        "half of it": whole[: len(whole) // 2],
        "half of a palette's": palette[: len(palette) // 2],
        "its header alone": whole[:33],
        "no end": whole[:-12],
        "two headers": whole[:33] + whole[8:],
        "an unknown chunk that must be known": odd_images.png(noise, 8, 0, before=[(b"ABCD", b"x")]),
        "a JPEG's header alone": odd_images.jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8))[:160],
        "half of a JPEG": odd_images.jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8))[:-40],
    }


@pytest.mark.parametrize("kind", _refused())
def test_what_one_reader_refuses_the_other_does(served, trained, kind, survives):
    content = _refused()[kind]
    with survives(f"52 {kind}, refused"):
        with pytest.raises(images.BadImage):
            trained(content)
        with pytest.raises(tf.errors.InvalidArgumentError, match="no readable PNG or JPEG"):
            served([content])


# Fault 53: arrays that are no gray levels of 8 bits.


def test_sixteen_bits_and_intensities_are_scaled(photo, survives):
    photo = photo[..., :3]
    deep = photo.astype(np.uint16) * 256 + 255
    with survives("53 images of 16 bits"):
        np.testing.assert_array_equal(images.prepared(deep), photo)
        np.testing.assert_array_equal(images.prepared(deep, 12), images.prepared(photo, 12))
    for dtype in (np.float16, np.float32, np.float64):
        with survives(f"53 images of {dtype.__name__}"):
            np.testing.assert_array_equal(images.prepared((photo / 255.0).astype(dtype)), photo)
    np.testing.assert_array_equal(images.prepared(photo > 127), np.where(photo > 127, 255, 0))


def test_a_sixteen_bit_array_is_its_file(tmp_path, rng, survives):
    levels = rng.integers(0, 1 << 16, (9, 7, 1)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(odd_images.png(levels, 16, 0))
    with survives("53 a file and an array of 16 bits"):
        np.testing.assert_array_equal(images.prepared(levels, 5), images.read(tmp_path / "deep.png", 5, gray=True))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((2, 2, 1), 200.0, np.float32), r"float32 hold intensities in \[0, 1\], got values from 200 to 200"),
        (np.full((2, 2, 1), -0.5), r"got values from -0.5 to -0.5"),
        (np.array([[[0.5], [np.nan]]]), r"got values from nan to nan"),
        (np.array([[[0.5], [np.inf]]]), r"got values from 0.5 to inf"),
        (np.zeros((2, 2, 1), np.int32), r"got int32: convert them"),
        (np.zeros((2, 2, 1), np.complex64), r"got complex64"),
    ],
)
def test_other_arrays_are_refused(image, message, survives):
    with survives(f"53 {message}"), pytest.raises(ValueError, match=message):
        images.prepared(image)


@pytest.mark.parametrize("fault", ["cut in its last checksum", "another last checksum", "no end", "a header alone"])
def test_a_png_whose_end_is_not_right_is_refused_by_both(served, trained, photo, survives, fault):
    whole = a_png("rgb", 8, False, False)
    content = {
        "cut in its last checksum": whole[:-2], "another last checksum": whole[:-1] + b"\0", "no end": whole[:-12],
        "a header alone": whole[:33],
    }[fault]  # fmt: skip
    assert trained(whole).shape == served([whole])[0].shape
    with survives(f"52 a PNG, {fault}"):
        with pytest.raises(images.BadImage, match=r"damaged image|truncated image"):
            trained(content)
        with pytest.raises(tf.errors.InvalidArgumentError, match="no readable"):
            served([content])
