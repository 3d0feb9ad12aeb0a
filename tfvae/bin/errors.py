"""Errors for people: one line on stderr and exit code 1, rather than a traceback."""

import functools
import sys

from absl import logging


def friendly(main):
    """Wraps the `main` of a binary: what a user can get wrong (ValueError, OSError and their kinds) is told in one line.

    `--verbosity=1` shows the traceback too. Everything else is a fault of the program and keeps its traceback.
    """

    @functools.wraps(main)
    def wrapped(argv):
        try:
            return main(argv)
        except (ValueError, OSError) as error:
            logging.debug("The traceback of the error below.", exc_info=error)
            print(f"error: {_told(error)}", file=sys.stderr)
            sys.exit(1)

    return wrapped


def _told(error):
    """The message in one line; operating system errors without one say which file they are about."""
    return " ".join(str(error).split()) or type(error).__name__
