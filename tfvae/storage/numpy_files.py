"""NumPy's files, .npy and .npz, from anywhere: nothing is unpickled, and nothing is allocated that is not there.

A header may promise any shape, and NumPy asks for its memory before it reads.
"""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from typing import IO

import numpy as np

from tfvae.storage.disk import PathLike

# Of Deflate, 1032 : 1, and something for what is nearly empty.
_LARGEST_RATIO, _SPARE = 1032, 1024
# What NumPy, zipfile and zlib raise for files that are not what they should be.
_UNREADABLE = (
    ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError,
    MemoryError, RuntimeError, SyntaxError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class UnreadableArrays(ValueError):
    """A file that is not one of arrays, or not whole."""


def read(path: PathLike) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        UnreadableArrays: names the file and what is wrong with it.
    """
    try:
        with open(path, "rb") as file:
            return _array(file, os.fstat(file.fileno()).st_size)
    except _UNREADABLE as error:
        raise UnreadableArrays(f"{path} is no .npy file that can be read: {_short(error)}") from error


def read_archive(path: PathLike, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, name -> array: the `wanted` ones that are there, or all.

    Raises:
        UnreadableArrays: names the file and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            of_name = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            names = of_name if wanted is None else [name for name in wanted if name in of_name]
            return {name: _member(archive, of_name[name], os.stat(path).st_size) for name in names}
    except _UNREADABLE as error:
        raise UnreadableArrays(f"{path} is not an .npz file that can be read: {_short(error)}") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, total: int) -> np.ndarray:
    most = min(info.compress_size, total) * _LARGEST_RATIO + _SPARE
    if info.file_size > most:
        raise ValueError(f"{info.filename} promises {info.file_size} bytes, it can have {most} at most")
    with archive.open(info) as file:
        return _array(file, info.file_size)


def _array(file: IO[bytes], size: int) -> np.ndarray:
    """An array of a stream of `size` bytes."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the format is not known")
    shape, in_columns, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    num = math.prod(shape)
    if min(shape, default=0) < 0 or num * dtype.itemsize > size:
        raise ValueError(f"it promises the shape {shape} of {dtype}, and has {size} bytes")
    content = file.read(num * dtype.itemsize)
    file.read(1)  # An archive compares its checksum where a member ends.
    if len(content) < num * dtype.itemsize:
        raise ValueError("it ends inside of its array")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if in_columns else "C").copy()


def _short(error: BaseException) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 300 else f"{said[:300]} ..."
