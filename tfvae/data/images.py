"""Image files of unknown origin: checked before they are decoded, then brought to one size and colour."""

import io
import os
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

from tfvae.data import exif, png
from tfvae.storage import reachable

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
COLOR_MODES = ("auto", "gray", "rgb")
MAX_PIXELS = 50_000_000

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIGNATURES = {
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}


_KEY = "transparency"  # What Pillow calls the transparent colour of an image without alpha.


class BadImage(ValueError):
    """A file that is not an image we take; its text is the reason."""


class Look(NamedTuple):
    """What an image was found to be.

    size: (height, width) as it is seen, its EXIF orientation applied.
    gray: whether it has no colour, whatever its mode.
    """

    size: tuple[int, int]
    gray: bool


def check(path: str | os.PathLike, max_pixels: int = MAX_PIXELS, ask_colour: bool = True) -> Look:
    """Checks a file from its header, then its checksums, then decodes it to the end.

    Args:
        path: of the file.
        max_pixels: larger images are refused from the header, before any pixel is decoded.
        ask_colour: whether pixels are searched for colour; otherwise `gray` is what the file's mode says.

    Returns:
        `Look`.

    Raises:
        BadImage: with the reason.
        UnreachableError: where this machine cannot read the file.
    """
    with _Decoding(path) as reading, reading.open(max_pixels) as image:
        image.verify()
    with _Decoding(path) as reading:
        image = reading.decoded(max_pixels)
        return Look((image.height, image.width), _is_gray(image, ask_colour))


def read(path: str | os.PathLike, image_size: int = 0, gray: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The gray levels of an image file.

    Args:
        path: of the file.
        image_size: N: the shorter side is resized to N, then N x N pixels are cut from the centre; 0 keeps the size.
        gray: one channel instead of three.
        max_pixels: as in `check`.

    Returns:
        uint8 [H, W, C]. Transparent pixels lie on white; of 16 bits the upper 8 are kept.

    Raises:
        BadImage: with the reason.
        UnreachableError: where this machine cannot read the file.
    """
    with _Decoding(path) as reading:
        return _channelled(_square(reading.decoded(max_pixels).convert("L" if gray else "RGB"), image_size))


def prepared(image: np.ndarray, image_size: int = 0) -> np.ndarray:
    """Images that come as arrays, as `read` gives those of files.

    Args:
        image: [..., H, W, C], any C. uint8 are gray levels; of uint16 the upper 8 bits are kept; floats are intensities
            in [0, 1]; bool is black and white.
        image_size: as of `read`.

    Returns:
        uint8 [..., H, W, C].

    Raises:
        ValueError: for another dtype, or floats beyond [0, 1].
    """
    levels = _gray_levels(np.asarray(image))
    if not image_size or levels.shape[-3:-1] == (image_size, image_size):
        return levels
    *batch, height, width, channels = levels.shape
    # Every channel is resized for itself, so any number of them is.
    planes = np.moveaxis(levels, -1, -3).reshape(-1, height, width)
    planes = [np.asarray(_square(Image.fromarray(plane), image_size)) for plane in planes]
    squares = np.reshape(planes, [*batch, channels, image_size, image_size]).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(squares, -3, -1))


def _gray_levels(image):
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype == bool:
        return image * np.uint8(255)
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(
            f"Images are arrays of uint8 (0..255), uint16 (0..65535), bool or floats in [0, 1], got {image.dtype}: "
            "convert them to one of these."
        )
    if image.size and not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"Images of {image.dtype} hold intensities in [0, 1], got values from {image.min():g} to {image.max():g}: "
            "scale them, or give gray levels 0..255 as uint8."
        )
    return np.round(255.0 * image.astype(np.float64)).astype(np.uint8)


def _square(image, size):
    """A part around the centre, as large as may be, in `size` x `size` pixels; 0 leaves the image."""
    if not size or image.size == (size, size):
        return image
    # `ImageOps.fit` in two steps: Pillow's versions differ in which axis they resize first, and noise in what follows.
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    lanczos = Image.Resampling.LANCZOS
    image = image.resize((size, image.height), lanczos, box=(left, 0, left + side, image.height))
    return image.resize((size, size), lanczos, box=(0, top, size, top + side))


def _channelled(image):
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


class _Decoding:
    """Turns whatever a decoder raises on damaged bytes into `BadImage`, and Pillow's warnings into silence.

    What keeps the machine from reading the file is an `UnreachableError`.
    """

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore")
        # Pillow's limit is one for the whole process; `open` checks ours, from the header as well.
        self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        return self

    def __exit__(self, kind, error, traceback):
        Image.MAX_IMAGE_PIXELS = self._limit
        self._caught.__exit__(kind, error, traceback)
        if reachable.is_of_machine(error):
            raise reachable.unreachable(error, self.path) from error
        # Decoders raise many kinds on hostile bytes (SyntaxError, struct.error, IndexError ...), and none of them
        # may end a run over thousands of files.
        if error is None or isinstance(error, BadImage) or not isinstance(error, Exception):
            return False
        raise BadImage(_reason(error)) from error

    def open(self, max_pixels):
        """The image with its header read and nothing decoded."""
        if os.path.islink(self.path) and not os.path.exists(self.path):
            raise BadImage("not a regular file")
        status = os.stat(self.path)
        if not stat.S_ISREG(status.st_mode):
            raise BadImage("not a regular file")
        if not status.st_size:
            raise BadImage("empty file")
        try:
            image = Image.open(self.path, formats=FORMATS)
        except Image.UnidentifiedImageError:
            if damaged := _damaged(self.path):
                raise BadImage(f"damaged image ({damaged} whose header cannot be read)") from None
            raise BadImage(f"{_kind(self.path)}, not a PNG, JPEG, BMP, GIF or WebP image") from None
        width, height = image.size
        if width * height > max_pixels:
            image.close()
            raise BadImage(f"{width} x {height} pixels, more than the limit of {max_pixels:,}")
        if not width * height:
            image.close()
            raise BadImage("an image without pixels")
        return image

    def decoded(self, max_pixels):
        """The image as it is seen, upright and on white, in the mode L or RGB."""
        with self.open(max_pixels) as image:
            opaque = self._opaque_png(image, max_pixels) if image.format == "PNG" else _opaque(image)
            return _upright(opaque, image)

    def _opaque_png(self, image, max_pixels):
        with open(self.path, "rb") as file:
            header = png.header(file)
        if image.mode.startswith("I"):
            return _upper_bits(image, header.key)
        if image.mode == "RGB" and header.depth == 16 and header.key:
            return _upper_bits_of_colours(image, self._lower_bits(max_pixels), header.key)
        image.info.pop(_KEY, None)
        if header.key is not None:
            image.info[_KEY] = header.key_of_eight_bits()
        return _opaque(image)

    def _lower_bits(self, max_pixels):
        """uint8 [H, W, 3]: the lower 8 of 16 bits a colour, which Pillow drops."""
        with self.open(max_pixels) as image:
            image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
            return np.asarray(image)


def _damaged(path):
    """The format that a file begins as, where it is one of ours."""
    with open(path, "rb") as file:
        start = file.read(8)
    return "a PNG" if start == b"\x89PNG\r\n\x1a\n" else "a JPEG" if start.startswith(b"\xff\xd8\xff") else ""


def _kind(path):
    with open(path, "rb") as file:
        start = file.read(512)
    for signature, name in _SIGNATURES.items():
        if start.startswith(signature):
            return name
    if start.isascii() and start.decode("ascii").replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return "text"
    return "unknown content"


def _reason(error):
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower():
        return f"truncated image ({text})"
    return f"damaged image ({text})"


def _upright(image, of):
    """A photo turned as its EXIF orientation says; a PNG, BMP or GIF lies as it is.

    Pillow's own `exif_transpose` also believes XMP and PNGs, which the graph of a served model does not look into.
    """
    if of.format in ("JPEG", "MPO"):
        with open(of.filename, "rb") as file:
            orientation = exif.of_jpeg(file)
    elif of.format == "WEBP":
        orientation = exif.of_tiff(of.info.get("exif", b"").removeprefix(exif.HEADER))
    else:
        orientation = 1
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _opaque(image):
    """The image in the mode L or RGB, its transparent pixels on white."""
    image.load()
    if image.mode == "CMYK" and "adobe_transform" not in image.info:
        # Pillow takes every CMYK for Adobe's, which is stored inverted.
        image = ImageChops.invert(image)
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


def _upper_bits(image, key):
    """Of 16-bit gray; Pillow's own conversion clips at 255 and leaves white."""
    levels = np.asarray(image).astype(np.int64)
    upper = np.where(levels == key, 255, np.clip(levels, 0, 65535) >> 8)
    return Image.fromarray(upper.astype(np.uint8))


def _upper_bits_of_colours(image, lower, key):
    """Of 16 bits a colour, of which Pillow gives the upper 8 and `lower` are the others."""
    upper, key = np.asarray(image), np.array(key)
    transparent = ((upper == key >> 8) & (lower == key & 255)).all(axis=-1, keepdims=True)
    return Image.fromarray(np.where(transparent, np.uint8(255), upper))


def _is_gray(image, ask):
    """Whether it has no colour, of a mode that has; without being asked, whether its mode has none."""
    if image.mode == "L" or not ask:
        return image.mode == "L"
    red, green, blue = (np.asarray(channel) for channel in image.split())
    return np.array_equal(red, green) and np.array_equal(green, blue)


def encode_png(image):
    """uint8 [H, W, C] as the bytes of a PNG."""
    out = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(out, format="PNG")
    return out.getvalue()
