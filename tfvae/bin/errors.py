"""Errors for people: one line on stderr and exit code 1, rather than a traceback."""

import functools
import sys

from absl import app, logging


def friendly(main):
    """Wraps the `main` of a binary: what a user can get wrong (a ValueError, an OSError) is told in one line.

    `--verbosity=1` shows the traceback too. Everything else is a fault of the program and keeps its traceback.
    """

    @functools.wraps(main)
    def wrapped(argv):
        try:
            return main(argv)
        except (ValueError, OSError) as error:
            _tell(error)

    return wrapped


def parse_flags(argv):
    """`flags_parser` of `app.run` for binaries with a config: an unknown field is told in one line too."""
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        _tell(error)


def _tell(error):
    logging.debug("The traceback of the error below.", exc_info=error)
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    print(f"error: {' '.join(str(message).split()) or type(error).__name__}", file=sys.stderr)
    sys.exit(1)
