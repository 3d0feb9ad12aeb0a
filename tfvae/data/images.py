"""Image files of unknown origin: checked before they are decoded, then brought to one size and colour."""

import io
import os
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
COLOR_MODES = ("auto", "gray", "rgb")
MAX_PIXELS = 50_000_000

_GRAY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
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


class BadImage(ValueError):
    """A file that is not an image we take; its text is the reason."""


class Look(NamedTuple):
    """What an image was found to be.

    size: (height, width) as it is seen, its EXIF orientation applied.
    gray: whether it has no colour, whatever its mode.
    """

    size: tuple[int, int]
    gray: bool


def check(path, max_pixels=MAX_PIXELS, ask_colour=True):
    """Checks a file from its header, then its checksums, then decodes it to the end.

    Args:
        path: of the file.
        max_pixels: larger images are refused from the header, before any pixel is decoded.
        ask_colour: whether pixels are searched for colour; otherwise `gray` is what the file's mode says.

    Returns:
        `Look`.

    Raises:
        BadImage: with the reason.
    """
    with _Decoding(path) as reading, reading.open(max_pixels) as image:
        image.verify()
    with _Decoding(path) as reading, reading.open(max_pixels) as image:
        gray = image.mode in _GRAY_MODES
        image.load()
        upright = _upright(image)
        if ask_colour and not gray:
            gray = _is_gray(_eight_bits(upright))
        return Look((upright.height, upright.width), gray)


def read(path, image_size=0, gray=False, max_pixels=MAX_PIXELS):
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
    """
    with _Decoding(path) as reading, reading.open(max_pixels) as image:
        image.load()
        image = _eight_bits(_upright(image)).convert("L" if gray else "RGB")
        if image_size and image.size != (image_size, image_size):
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.LANCZOS)
        pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if gray else pixels


class _Decoding:
    """Turns whatever a decoder raises on damaged bytes into `BadImage`, and Pillow's warnings into silence."""

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
        # Decoders raise many kinds on hostile bytes (SyntaxError, struct.error, IndexError ...), and none of them
        # may end a run over thousands of files.
        if error is None or isinstance(error, BadImage) or not isinstance(error, Exception):
            return False
        raise BadImage(_reason(error)) from error

    def open(self, max_pixels):
        """The image with its header read and nothing decoded."""
        status = os.stat(self.path)
        if not stat.S_ISREG(status.st_mode):
            raise BadImage("not a regular file")
        if not status.st_size:
            raise BadImage("empty file")
        try:
            image = Image.open(self.path, formats=FORMATS)
        except Image.UnidentifiedImageError:
            raise BadImage(f"{_kind(self.path)}, not a PNG, JPEG, BMP or GIF image") from None
        width, height = image.size
        if width * height > max_pixels:
            image.close()
            raise BadImage(f"{width} x {height} pixels, more than the limit of {max_pixels:,}")
        if not width * height:
            image.close()
            raise BadImage("an image without pixels")
        return image


def _kind(path):
    with open(path, "rb") as file:
        start = file.read(512)
    for signature, name in _SIGNATURES.items():
        if start.startswith(signature):
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "a WebP"
    if start.isascii() and start.decode("ascii").replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return "text"
    return "unknown content"


def _reason(error):
    if isinstance(error, PermissionError):
        return "no permission to read it"
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower():
        return f"truncated image ({text})"
    return f"damaged image ({text})"


def _upright(image):
    """A JPEG turned as its EXIF orientation says, which is what a camera writes and what a served model reads too.

    Pillow's own `exif_transpose` also believes XMP and PNGs, which the graph of a served model does not look into.
    """
    exif = Image.Exif()
    exif.load(image.info.get("exif", b"") if image.format in ("JPEG", "MPO") else b"")
    turn = _TURNS.get(exif.get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _eight_bits(image):
    """The image in a mode of 8 bits a channel without transparency."""
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        # 16-bit gray: Pillow's own conversion clips at 255 and leaves white.
        return Image.fromarray((np.clip(levels, 0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image


def _is_gray(image):
    if image.mode in _GRAY_MODES:
        return True
    red, green, blue = (np.asarray(channel) for channel in image.convert("RGB").split())
    return np.array_equal(red, green) and np.array_equal(green, blue)


def encode_png(image):
    """uint8 [H, W, C] as the bytes of a PNG."""
    out = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(out, format="PNG")
    return out.getvalue()
