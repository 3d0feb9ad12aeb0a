"""Errors for people: one line on stderr rather than a traceback; exit code 2 for a wrong command line, else 1."""

import copy
import difflib
import functools
import re
import sys

from absl import flags, logging

from tfvae.command_line import overrides, presets, startup

_USAGE = 2


def friendly(main):
    """Wraps the `main` of a binary: what a user can get wrong (a ValueError, an OSError) is told in one line.

    Arguments that are no flags are refused. `--verbosity=1` shows the traceback too. Everything else is a fault of the
    program and keeps its traceback.
    """

    @functools.wraps(main)
    def wrapped(argv):
        try:
            _check_arguments(argv)
        except ValueError as error:
            _tell(error, _USAGE)
        try:
            return main(argv)
        except (ValueError, OSError) as error:
            _tell(error)

    return wrapped


def parse_flags(argv):
    """`flags_parser` of `app.run`: what is wrong with a flag, or with a field of the preset, is told in one line too.

    Flags that are not of the preset, and fields of the training, are checked before the preset is read, which imports
    TensorFlow.
    """
    try:
        argv = presets.resolved(argv)
        if presets.named(argv)[0]:
            _check_arguments(copy.deepcopy(flags.FLAGS)(_without_config(argv)))
            overrides.check_training(argv)
            startup.import_tensorflow()
        rest = flags.FLAGS(argv)
        if "config" in flags.FLAGS and flags.FLAGS.config is not None:
            overrides.check(flags.FLAGS.config)
        return rest
    except flags.Error as error:
        _tell(ValueError(_of_flag(error, argv)), _USAGE)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A field that does not exist is told with those that do; any other error says by itself what is wrong.
        unknown = overrides.unknown(argv) if isinstance(error, (AttributeError, KeyError)) else ""
        _tell(ValueError(unknown) if unknown else error, _USAGE)


def _check_arguments(argv):
    """Raises ValueError for arguments that are no flags."""
    if len(argv) > 1:
        raise ValueError(f"Unexpected arguments: {' '.join(argv[1:])}. Flags begin with --; `--help` shows them.")


def _without_config(argv):
    """The command line without the preset and its fields."""
    kept, skips = [], False
    for argument in argv:
        name, equals, _ = argument.partition("=")
        if skips or name in ("--config", "-config") or re.match(r"--?(no)?config\.", name):
            skips = not skips and not equals and name in ("--config", "-config")
            continue
        kept.append(argument)
    return kept


def _of_flag(error, argv):
    """absl's error in our words: a flag that is missing or unknown is named with what it is for, or what was meant, and
    a field of the preset with what it may be.
    """
    required = re.match(r"flag --(\w+)=None: Flag --\w+ must have a value", str(error))
    if required:
        return f"`--{required[1]}` is missing: {flags.FLAGS[required[1]].help} `--help` shows all flags."
    unknown = re.match(r"Unknown command line flag '(\w+)'", str(error))
    if unknown:
        near = difflib.get_close_matches(unknown[1], list(flags.FLAGS), n=1)
        meant = f" Did you mean --{near[0]}?" if near else ""
        return f"There is no flag --{unknown[1]}.{meant} `--help` shows all flags."
    illegal = re.match(r"flag --config\.([\w.]+)=(.*?): ", str(error))
    return (illegal and overrides.refused(argv, illegal[1], illegal[2])) or str(error)


def _tell(error, code=1):
    logging.debug("The traceback of the error below.", exc_info=error)
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if "Traceback" in message:  # A preset that refused: config_flags wraps its error in the whole traceback.
        message = message.strip().splitlines()[-1].partition(": ")[2]
    print(f"error: {' '.join(message.split()) or type(error).__name__}", file=sys.stderr)
    sys.exit(code)
