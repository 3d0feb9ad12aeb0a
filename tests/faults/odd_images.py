"""PNGs and JPEGs of the kinds that people have and few libraries write, made by hand."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour type -> (channels, bit depths that the standard has for it).
PNG_TYPES = {
    "gray": (0, 1, (1, 2, 4, 8, 16)),
    "rgb": (2, 3, (8, 16)),
    "palette": (3, 1, (1, 2, 4, 8)),
    "gray_alpha": (4, 2, (8, 16)),
    "rgba": (6, 4, (8, 16)),
}
# (first row, first column, step of rows, step of columns) of Adam7's seven passes.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(levels, depth, colour, *, palette=None, transparent=None, interlaced=False, before=()):
    """A PNG of uint16 [H, W, C] at any bit depth.

    Args:
        levels: as stored, below 2^depth; indices of a palette.
        colour: the number of its colour type.
        palette: uint8 [K, 3].
        transparent: content of the chunk tRNS.
        before: more chunks, (name, content), between header and palette.
    """
    passes = [levels[y::dy, x::dx] for y, x, dy, dx in _PASSES] if interlaced else [levels]
    lines = b"".join(_line(row, depth) for part in passes if part.size for row in part.reshape(len(part), -1))
    height, width, _ = levels.shape
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), *before]
    chunks += [(b"PLTE", np.asarray(palette, np.uint8).tobytes())] if palette is not None else []
    chunks += [(b"tRNS", transparent)] if transparent is not None else []
    return png_of_chunks([*chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])


def png_of_chunks(chunks):
    """A file of (name, content)."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _line(levels, depth):
    """One line of pixels without a filter, the last byte filled up with zeros."""
    bits = (levels[:, None].astype(np.int64) >> np.arange(depth)[::-1]) & 1
    return b"\0" + np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()


def jpeg(image, **options):
    """A JPEG of a PIL image, or of uint8 [H, W] or [H, W, 3]."""
    content = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(content, "JPEG", **{"quality": 95, **options})
    return content.getvalue()


def segments(content):
    """[(marker, content)] before the scan of a JPEG, and the rest of the file."""
    found, at = [], 2
    while content[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, at + 2)
        found.append((content[at + 1], content[at + 4 : at + 2 + length]))
        at += 2 + length
    return found, content[at:]


def jpeg_of_segments(found, scan, fill=0):
    """A file; `fill` bytes of filling before each marker."""
    filling = b"\xff" * fill
    body = b"".join(filling + b"\xff" + bytes([m]) + struct.pack(">H", len(c) + 2) + c for m, c in found)
    return b"\xff\xd8" + body + filling + scan


def without(content, marker):
    """A JPEG without its segments of a marker."""
    found, scan = segments(content)
    return jpeg_of_segments([segment for segment in found if segment[0] != marker], scan)


def exif(orientation, order="<", kind=3, count=1):
    """Content of an EXIF segment: one directory with a foreign entry before the orientation.

    Args:
        order: `<` or `>`, the order of bytes.
        kind: TIFF's number of the type: 1 BYTE, 3 SHORT, 4 LONG, 6, 8 and 9 the signed ones, 5 RATIONAL, 11 FLOAT.
    """
    formats = {1: "B3x", 3: "H2x", 4: "I", 6: "b3x", 8: "h2x", 9: "i", 11: "f"}
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    make = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"abc\0")
    entry = struct.pack(f"{order}HHI{formats[kind]}", 0x0112, kind, count, orientation)
    return b"Exif\0\0" + header + struct.pack(f"{order}H", 2) + make + entry + struct.pack(f"{order}I", 0)
