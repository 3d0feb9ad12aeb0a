"""A piece of work done in a child of this process, which is warm: nothing has to be imported again."""

import json
import os
import signal
from typing import NamedTuple

from tools.kills.operations import Operations

_SECONDS = 120  # After which a child that hangs is ended.


class Ended(NamedTuple):
    """How a child ended.

    status: its exit status; negative for a signal.
    kinds: of its operations; [] of one that was killed.
    error: what it raised, as text.
    """

    status: int
    kinds: list
    error: str


def run(work, folder, fatal=0):
    """Does `work(folder)` in a child, which ends before its operation `fatal`; counted from 1, 0 for none."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _do(work, folder, fatal, write)
    os.close(write)
    with os.fdopen(read) as said:
        told = said.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(status, *(json.loads(told) if told else ([], "")))


def _do(work, folder, fatal, told):
    """Never returns."""
    signal.alarm(_SECONDS)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    operations, error = Operations(folder, fatal), ""
    try:
        work(folder)
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
    os.write(told, json.dumps([operations.kinds, error]).encode())
    os._exit(0)
