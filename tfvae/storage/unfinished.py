"""What is being written, and what a process that was killed left of it: one rule for files and for folders.

What is being written has a name of its own beside the place where it will lie, `.<name>.<token>.tmp`, and takes its
real name in one step, when it is whole and on the disk. While its writer lives it holds a lock: on the file itself; of
a folder, on the file `lock` in it. What nobody holds was left by a process that was killed: the next one that writes
in that folder removes it.

A folder whose making can be gone on with is made in `.<name>.unfinished/` instead, which the next maker takes over.
"""

import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tfvae.storage import disk
from tfvae.storage.disk import PathLike

LOCK = "lock"
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{12}\.tmp")
# What 0.1 and 0.2 called it: files, shards, versions. Nobody holds a lock on these.
_FORMER_NAMES = re.compile(r"\..*\.\d+\.tmp|\..*\.tfrecord\.[0-9a-f]{32}|\.incoming-[0-9a-f]{16}")
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_LONGEST = 40  # Characters of a name in the name of what is being written, which must not exceed 255 bytes.
# In `.<name>.unfinished/`: what is made without a key, and what lay at its place before.
_ANEW, _FORMER = "anew", "former"
_looked_at: set[str] = set()


class HeldError(ValueError):
    """Another process is at work there."""


class Making(NamedTuple):
    """made: the folder that will take its name; notes: one beside it, of the makers for those who go on."""

    made: Path
    notes: Path


@contextlib.contextmanager
def lock(path: PathLike, told: Callable[[str], str]) -> Iterator[BinaryIO]:
    """Holds a lock file, which names this process, until the block ends.

    Args:
        path: of the file, which is made.
        told: the id of the process that holds it -> what to tell who comes second.

    Raises:
        HeldError: if another process holds it.
    """
    with open(path, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise HeldError(told(file.read().decode(errors="replace").strip() or "unknown")) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield file


@contextlib.contextmanager
def new_file(path: PathLike) -> Iterator[BinaryIO]:
    """An open file that takes the name `path` when the block ends, in the place of what lay there.

    When the block fails it vanishes, and what lay there is untouched.
    """
    path = Path(path)
    _sweep_once(path.parent)
    beside, opened = _begun(path)
    with opened:
        try:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    disk.sync(path.parent)


@contextlib.contextmanager
def workshop(folder: PathLike, name: str) -> Iterator[Path]:
    """A new folder in `folder` to make something in that is then moved out of it; it is gone when the block ends."""
    sweep(folder)
    place, held = _begun_folder(Path(folder), name)
    with _emptied(place), held:
        try:
            yield place
        finally:
            _dismantle(place)


@contextlib.contextmanager
def new_folder(target: PathLike, key: str = "") -> Iterator[Making]:
    """A folder that takes the name `target` when the block ends, in the place of what lay there.

    Args:
        target: its path.
        key: names what is made, so that the next maker of the same goes on with what a killed or failed one left; empty
            where each begins anew.

    Raises:
        HeldError: if another process makes it.
    """
    target, finished = Path(target), False
    place = _place(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(exist_ok=True)
    with _emptied(place), _alone_in(place, target):
        _settle_former_names(target)
        _put_right(target)
        _clear(place, except_for=key)
        making = Making(place / (key or _ANEW) / "made", place / (key or _ANEW) / "notes")
        for each in making:
            each.mkdir(parents=True, exist_ok=True)
            sweep(each)
        try:
            yield making
            _take_place(making.made, target)
            finished = True
        finally:
            if finished or not key:
                _dismantle(place)


def settle(target: PathLike) -> None:
    """Puts right what a killed maker of the folder `target` left: what lay there is there again, or gone for good.

    What the next maker can go on with stays.

    Raises:
        HeldError: if another process makes it.
    """
    target = Path(target)
    place = _place(target)
    if not place.exists():
        _settle_former_names(target)
        return
    with _emptied(place), _alone_in(place, target):
        _put_right(target)
        if not [made for made in place.glob("*/made") if made.parent.name != _ANEW]:
            _dismantle(place)


def settle_all(folder: PathLike) -> None:
    """`settle` for every folder that was being made in `folder`."""
    for place in Path(folder).glob(".*.unfinished"):
        settle(place.with_name(place.name.removeprefix(".").removesuffix(".unfinished")))


def sweep(folder: PathLike) -> None:
    """Removes from a folder what killed processes left half written there; what a living one holds stays."""
    try:
        names = [name for name in os.listdir(folder) if _UNFINISHED.fullmatch(name)]
    except PermissionError:  # It can be written to all the same.
        return
    for name in names:
        with _emptied(Path(folder, name)):
            _remove_unless_held(Path(folder, name))


def sweep_own(folder: PathLike, below: bool = True) -> None:
    """`sweep` where nobody but tfvae writes: what older versions left goes too.

    Args:
        folder: that is swept.
        below: whether those in it are, too.
    """
    for path, folders, files in os.walk(folder):
        sweep(path)
        for name in (name for name in (*folders, *files) if _FORMER_NAMES.fullmatch(name)):
            _delete(Path(path, name))
        if not below:
            return


def is_unfinished(name: str) -> bool:
    """Whether a name is that of something that is being written, or was when its writer was killed."""
    return bool(_UNFINISHED.fullmatch(name) or _FORMER_NAMES.fullmatch(name))


def _token_name(name: str) -> str:
    return f".{name[:_LONGEST]}.{secrets.token_hex(6)}.tmp"


def _begun(path: Path) -> tuple[Path, BinaryIO]:
    """(a new file beside `path`, the same opened and held by this process)."""
    while True:
        beside = path.with_name(_token_name(path.name))
        opened = open(beside, "xb")  # noqa: SIM115
        if _hold(opened.fileno()) and _is(beside, opened.fileno()):
            return beside, opened
        opened.close()  # A process that sweeps took it for a dead one's before it was held.


def _begun_folder(folder: Path, name: str) -> tuple[Path, BinaryIO]:
    """(a new folder in `folder`, its lock opened and held by this process)."""
    while True:
        place = folder / _token_name(name)
        place.mkdir()
        with contextlib.suppress(FileNotFoundError):  # As in `_begun`.
            opened = open(place / LOCK, "xb")  # noqa: SIM115
            if _hold(opened.fileno()) and _is(place / LOCK, opened.fileno()):
                return place, opened
            opened.close()


def _hold(descriptor: int) -> bool:
    """Locks an open file for this process; whether it did, or the file system knows no locks: nobody sweeps there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether a path is still that of an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _alone_in(place: Path, target: Path) -> Iterator[None]:
    """A place that exists, for this process alone.

    Raises:
        HeldError: if another process has it, or has just removed it.
    """
    busy = f"Another process is writing {target}: wait for it, or name another folder."
    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context(lock(place / LOCK, lambda process: busy))
            still_there = _is(place / LOCK, file.fileno())
        except FileNotFoundError:
            still_there = False
        if not still_there:
            raise HeldError(f"Another process has just written {target}: look at it, and start again.")
        yield


@contextlib.contextmanager
def _emptied(place: Path) -> Iterator[None]:
    """Removes a folder behind the block, if nothing is left in it: file systems of networks keep what is open in it."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            place.rmdir()


def _sweep_once(folder: Path) -> None:
    """`sweep` the first time that this process writes in a folder: to list it every time would take too long."""
    path = os.path.abspath(folder)
    if path not in _looked_at:
        sweep(folder)
        _looked_at.add(path)


def _remove_unless_held(path: Path) -> None:
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path / LOCK if is_folder else path, os.O_RDWR)
    except OSError:  # It is gone, or nothing was made in it yet, or it belongs to somebody else.
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_folder:
            _dismantle(path)
        else:
            path.unlink()
    except OSError:  # Its writer lives, or has just finished; or nobody can tell.
        return
    finally:
        os.close(descriptor)


def _dismantle(place: Path) -> None:
    """Removes what is in a place, the lock last: it is held until nothing else is left."""
    _clear(place)
    (place / LOCK).unlink()


def _clear(place: Path, except_for: str = "") -> None:
    for path in list(place.iterdir()):
        if path.name not in (LOCK, except_for):
            _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.unfinished")


def _take_place(made: Path, target: Path) -> None:
    """Renames a folder to `target`; what lay there waits beside it until that is done."""
    former = _place(target) / _FORMER
    disk.sync(made)
    if target.exists():
        os.rename(target, former)
    try:
        os.rename(made, target)
    except OSError:
        if former.exists():
            os.rename(former, target)
        raise
    disk.sync(target.parent)


def _put_right(target: Path) -> None:
    """Ends the exchange of a folder for another in which a process was killed."""
    former = _place(target) / _FORMER
    if former.exists() and not target.exists():
        os.rename(former, target)
        disk.sync(target.parent)
    elif former.exists():
        _delete(former)


def _settle_former_names(target: Path) -> None:
    """What 0.1 and 0.2 left: the folder as it was, and one that was made, neither of which they came back to."""
    name = glob.escape(target.name)
    for former in target.parent.glob(f".{name}.old-*"):
        if target.exists():
            _delete(former)
        else:
            os.rename(former, target)
    for left in (f".{name}.partial", f".{name}.partial-*", f".{name}.lock"):
        for path in target.parent.glob(left):
            _delete(path)
