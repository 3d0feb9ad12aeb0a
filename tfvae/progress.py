"""How far a command is, on standard error: a line every so often, and the last one."""

import functools
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, TypeVar

Item = TypeVar("Item")

EVERY_SECONDS = 10.0
_ON_TERMINAL = 0.5


class Progress:
    """Tells at most one line every few seconds; on a terminal the next line takes the place of the one before.

    Args:
        every: seconds between two lines; by default 10, and half a second on a terminal.
        stream: by default standard error as it is when a line is told.
        clock: seconds.
    """

    def __init__(
        self, every: float | None = None, stream: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._clock = stream, clock
        self._every = (_ON_TERMINAL if self._terminal() else EVERY_SECONDS) if every is None else every
        self._told_at = clock()
        self._waiting: Callable[[], str] | None = None
        self._open = False

    def __call__(self, line: Callable[[], str]) -> None:
        """Takes a line, which is made when it is told, and only then."""
        self._waiting = line
        if self._clock() - self._told_at >= self._every:
            self._tell()

    def end(self) -> None:
        """Tells the last line that was taken, if it was not yet, and leaves it there."""
        if self._waiting:
            self._tell()
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """What is over before its line is due has none."""
        self._waiting = None
        self._leave()

    def over(self, items: Iterable[Item], line: Callable[[int], str]) -> Iterator[Item]:
        """Yields the items; `line(n)` says that n of them are done."""
        with self:
            for done, item in enumerate(items, 1):
                yield item
                self(functools.partial(line, done))

    def counter(self, what: str) -> Callable[[int, int], None]:
        """`done(number, of)`, to be called as often as one likes while the work goes on."""
        began = self._clock()
        return lambda done, of: self(lambda: self._of(done, of, what, self._clock() - began))

    @staticmethod
    def _of(done: int, total: int, what: str, seconds: float) -> str:
        left = f", about {duration(seconds / done * (total - done))} left" if done < total else ""
        return f"{done:,} of {total:,} {what}{left}"

    def _leave(self) -> None:
        if self._open:
            self._write("\n")
            self._open = False

    def _tell(self) -> None:
        assert self._waiting is not None
        text, self._waiting, self._told_at = self._waiting(), None, self._clock()
        if self._terminal():
            # The cursor goes back to the start, so that a message of somebody else begins there.
            self._write(f"\033[K{text}\r")
            self._open = True
        else:
            self._write(f"{text}\n")

    def _terminal(self) -> bool:
        return bool((self._stream or sys.stderr).isatty())

    def _write(self, text: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(text)
        stream.flush()


def tell(*lines: str) -> None:
    """Lines on standard error; standard output is for the result."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def tell_next(*command: str | os.PathLike[str]) -> None:
    """The next command to try."""
    tell(f"next: {shlex.join(os.fspath(part) for part in command)}")


def duration(seconds: float) -> str:
    """As people say it: "45 s", "9 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
