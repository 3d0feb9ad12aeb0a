"""EXIF orientation: which side of a photo is up, as a camera held sideways writes it.

The graph of a served model reads it by the same rules, `tfvae.serving.orientation`: what one of them turns, both do.
"""

import struct
from typing import BinaryIO

EXIF, SCAN, END, FILL = 0xE1, 0xDA, 0xD9, 0xFF
BARE_MARKERS = (0x01, *range(0xD0, 0xD9))  # Of a JPEG's markers, those without a length.
HEADER = b"Exif\0\0"
LITTLE_ENDIAN, BIG_ENDIAN = b"II*\0", b"MM\0*"
ORIENTATION = 0x0112
# Types of whole numbers -> bytes of one: SHORT and LONG, and the signed ones that readers take for them.
NUM_BYTES = {3: 2, 4: 4, 6: 1, 8: 2, 9: 4}
# A stranger's file must not keep a server busy: what stands behind so many segments, or entries, is not looked at.
MAX_SEGMENTS, MAX_ENTRIES = 1024, 256


def of_jpeg(file: BinaryIO) -> int:
    """Orientation of a JPEG, wherever before the first scan its EXIF segment stands.

    Args:
        file: open for reading bytes, and left at another place.

    Returns:
        1 to 8; 1 where there is none that can be read.
    """
    at = 2
    for _ in range(MAX_SEGMENTS):
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[0] != FILL or head[1] in (SCAN, END):
            return 1
        length = 256 * head[2] + head[3]
        if head[1] == EXIF and head[4:] == HEADER:
            return of_tiff(file.read(max(length - 8, 0)))
        if head[1] == FILL:  # Any number of them may stand before a marker.
            at += 1
        else:
            at += 2 if head[1] in BARE_MARKERS else 2 + length
    return 1


def of_tiff(content: bytes) -> int:
    """Orientation among the entries of the first directory; of several the last.

    Args:
        content: a TIFF header and what follows it, as EXIF is stored.

    Returns:
        1 to 8; 1 where there is none that can be read.

    EXIF 2.32, tag 0x0112.
    """
    order = {LITTLE_ENDIAN: "<", BIG_ENDIAN: ">"}.get(content[:4])
    if order is None or len(content) < 8:
        return 1
    (directory,) = struct.unpack_from(f"{order}I", content, 4)
    if directory + 2 > len(content):
        return 1
    (num,) = struct.unpack_from(f"{order}H", content, directory)
    found = 1
    for at in range(directory + 2, directory + 2 + 12 * min(num, MAX_ENTRIES), 12):
        if at + 12 > len(content):
            break
        tag, kind, count = struct.unpack_from(f"{order}HHI", content, at)
        if (tag, count) == (ORIENTATION, 1) and kind in NUM_BYTES:
            value = content[at + 8 : at + 8 + NUM_BYTES[kind]]
            found = int.from_bytes(value, "little" if order == "<" else "big")
    return found if 1 <= found <= 8 else 1
