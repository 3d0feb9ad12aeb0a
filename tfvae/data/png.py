"""What a PNG says before its pixels, by the rules of libpng.

TensorFlow decodes with libpng, so what is served follows it. Pillow compares a transparent colour with levels that it
has brought to 8 bits before, and takes some files that libpng refuses.
"""

import functools
import os
import struct
from typing import BinaryIO, NamedTuple

GRAY, RGB, PALETTE = 0, 2, 3
_CRITICAL = (b"PLTE", b"IDAT", b"IEND")
_SIGNATURE_BYTES = 8
_END = b"\xae\x42\x60\x82"  # The checksum of IEND, which has no content.


class Header(NamedTuple):
    """Of one file.

    depth: bits of a level.
    key: of an image without an alpha channel the one transparent level (gray) or colour (3 levels), as stored; of a
        palette, bytes, the opacities of its first colours. None where all is opaque.
    """

    depth: int
    key: int | tuple[int, int, int] | bytes | None

    def key_of_eight_bits(self):
        """The same, with levels stretched to 0..255."""
        if self.key is None or isinstance(self.key, bytes):
            return self.key
        stretch = 255 // (2**self.depth - 1)
        return tuple(stretch * k for k in self.key) if isinstance(self.key, tuple) else stretch * self.key


def header(file: BinaryIO) -> Header:
    """The header of a PNG.

    Args:
        file: open for reading bytes, and left at another place.

    Raises:
        ValueError: for chunks that libpng refuses where Pillow does not, and for a file that ends before its last one.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(_SIGNATURE_BYTES)
    depth, colour, compression = _chunk(file)[1][8:11]
    if compression:
        raise ValueError(f"a PNG of the unknown compression {compression}")
    num_colours, key, pixels, name = 0, None, False, b""
    for name, content in iter(functools.partial(_chunk, file), None):
        if file.tell() > end or name == b"IEND":
            break
        pixels |= name == b"IDAT"
        if name == b"PLTE":
            num_colours = min(len(content) // 3, 2**depth)
        elif name == b"tRNS" and key is None and not pixels:
            key = _key(content, depth, colour, num_colours)
        elif name[:1].isupper() and name not in _CRITICAL:
            raise ValueError(f"a PNG with the chunk {name!r}, which a reader must know or not read on")
    if file.tell() > end or name != b"IEND":
        raise ValueError("a truncated PNG, which ends before its last chunk")
    file.seek(-4, os.SEEK_CUR)
    if file.read(4) != _END:
        raise ValueError("a PNG whose last chunk has another checksum")
    return Header(depth, key)


def _key(content, depth, colour, num_colours):
    """Content of another length, or before the palette, is passed over, and so are bits beyond the depth."""
    levels = struct.unpack(f">{len(content) // 2}H", content[: len(content) // 2 * 2])
    levels = tuple(level & (2**depth - 1) for level in levels)
    if colour == GRAY and len(content) == 2:
        return levels[0]
    if colour == RGB and len(content) == 6:
        return levels
    return content if colour == PALETTE and 0 < len(content) <= num_colours else None


def _chunk(file):
    """(name, content) of the next chunk, None at the end; pixels are not read."""
    start = file.read(8)
    if len(start) < 8:
        return None
    length, name = struct.unpack(">I4s", start)
    content = b"" if name == b"IDAT" else file.read(length)
    file.seek(4 + length - len(content), os.SEEK_CUR)
    return name, content
