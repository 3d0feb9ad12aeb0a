"""Paths that a machine cannot reach, apart from files whose content is bad.

A file of bad content is known for good once it was read. One behind a mount that a worker lacks, a stale handle or a
failing disk was not read at all: nothing may be written down of it as if it had been.
"""

import errno
import os
import socket

from tfvae.storage.disk import PathLike

# A damaged file sends its reader to places that no file has; every other error with a number is the machine's.
_OF_CONTENT = (errno.EINVAL, errno.EOVERFLOW)


class UnreachableError(OSError):
    """A path that this machine cannot reach or read; its text names both."""


def is_of_machine(error: BaseException | None) -> bool:
    """Whether what a reader raised is the machine's fault: decoders raise OSErrors too, but without a number."""
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _OF_CONTENT


def unreachable(error: OSError, path: PathLike) -> UnreachableError:
    """The error of a path as it is told to people."""
    if isinstance(error, UnreachableError):
        return error
    number = error.errno or errno.EIO
    text = (
        f"The machine {socket.gethostname()} cannot read {os.fspath(path)}: {os.strerror(number)}. Every machine that "
        "takes part needs it under this path, with the permission to read it. See to it and start again; what is done "
        "is kept"
    )
    return UnreachableError(number, text)


def require(path: PathLike) -> None:
    """Refuses to go on where a path is not there.

    Raises:
        UnreachableError: if this machine does not see it.
    """
    try:
        os.stat(path)
    except OSError as error:
        raise unreachable(error, path) from error
