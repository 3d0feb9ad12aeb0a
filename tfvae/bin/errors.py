"""Errors for people: one line on stderr and exit code 1, rather than a traceback."""

import functools
import sys

from absl import app, flags, logging

from tfvae.bin import overrides, presets


def friendly(main):
    """Wraps the `main` of a binary: what a user can get wrong (a ValueError, an OSError) is told in one line.

    Arguments that are not flags are refused. `--verbosity=1` shows the traceback too. Everything else is a fault of the
    program and keeps its traceback.
    """

    @functools.wraps(main)
    def wrapped(argv):
        if len(argv) > 1:
            raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
        try:
            return main(argv)
        except (ValueError, OSError) as error:
            _tell(error)

    return wrapped


def parse_flags(argv):
    """`flags_parser` of `app.run` for binaries with a config: what is wrong with a flag is told in one line too."""
    try:
        presets.check(argv)
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        # A field that does not exist is told with those that do; any other error says by itself what is wrong.
        unknown = overrides.unknown(argv) if isinstance(error, (AttributeError, KeyError)) else ""
        _tell(ValueError(unknown) if unknown else error)


def _tell(error):
    logging.debug("The traceback of the error below.", exc_info=error)
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if "Traceback" in message:  # A preset that refused: config_flags wraps its error in the whole traceback.
        message = message.strip().splitlines()[-1].partition(": ")[2]
    print(f"error: {' '.join(message.split()) or type(error).__name__}", file=sys.stderr)
    sys.exit(1)
