"""How every command begins: help, versions and wrong flags are answered before anything heavy is imported.

def main():
    from tfvae.training import trainer  # Four seconds, which nobody who asks for --help should wait.
    ...

run = command.of(main)
"""

import functools
import importlib.metadata
import os
import sys
import textwrap

from absl import app, flags

from tfvae.command_line import errors, overrides, presets, startup

_STACK = ("tensorflow", "keras", "tensorflow-probability")
_HELP, _VERSION = ("--help", "-help", "-h", "--helpfull", "--helpshort"), ("--version", "-version")
_WIDTH = 100


def of(main, takes_files=False):
    """The console script of a `main()` whose module defines the flags.

    Args:
        main: called with nothing, or with the arguments that are no flags where it `takes_files`.
        takes_files: whether it takes such arguments.
    """

    def run():
        try:
            app.run(functools.partial(_started, main, takes_files), flags_parser=functools.partial(_parsed, main))
        except BrokenPipeError:  # Who read what was written, such as `head`, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    return run


def _started(main, takes_files, argv):
    program, *files = argv

    def quiet_main(argv):
        del argv
        startup.import_tensorflow()
        return main(files) if takes_files else main()

    return errors.friendly(quiet_main)([program] if takes_files else argv)


def _parsed(main, argv):
    module = sys.modules[main.__module__]
    if set(argv[1:]) & set(_HELP):
        print(help_text(module, argv), flush=True)
        sys.exit(0)
    if set(argv[1:]) & set(_VERSION):
        print(versions())
        sys.exit(0)
    return errors.parse_flags(argv)


def versions():
    """tfvae's version and those of what it stands on, in a line."""
    stack = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _STACK)
    return f"tfvae {importlib.metadata.version('tfvae')} ({stack})"


def help_text(module, argv):
    """What a command does, how it is called, and its own flags with their defaults.

    With a preset, `--config=sdgm_digits --help`, the fields of that preset too.
    """
    program, said = _program(module, argv), (module.__doc__ or "").strip()
    said = said.replace(f"python -m {_module_name(module)}", program)
    lines = [f"{program}: {said}", "", "Flags:"]
    for flag in sorted(_own_flags(module), key=lambda flag: flag.default is not None):
        lines.extend(_described(flag))
    lines += ["", "  --help, --version, --verbosity=1 (tracebacks, and what TensorFlow has to say)"]
    if "config" in flags.FLAGS:
        lines += ["", *_fields(argv)]
    return "\n".join(lines)


def _own_flags(module):
    return flags.FLAGS.get_key_flags_for_module(module)


def _described(flag):
    """A flag's line, and what it means below."""
    default = "" if flag.default in (None, "", []) else f"={flag.default_as_str.strip(chr(39))}"
    values = getattr(flag.parser, "enum_values", None)
    choices = f" One of: {', '.join(value for value in values if value)}." if values else ""
    meaning = (flag.help or "").partition(">: ")[2] if values else flag.help
    return [
        f"  --{flag.name}{default}",
        *textwrap.wrap(f"{meaning}{choices}", _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6),
    ]


def _fields(argv):
    """The fields of the preset that a command line names, or where they are found."""
    if not presets.named(argv)[0]:
        return [
            "Every field of a preset is a flag: --config.training.epochs=10. With --config=PRESET --help shows them."
        ]
    startup.import_tensorflow()
    shown = [f"  --config.{name}={value!r}" for name, value in overrides.values(presets.load(argv))]
    return ["Fields of the preset:", *shown]


def _program(module, argv):
    name = os.path.basename(argv[0])
    return f"python -m {_module_name(module)}" if name.endswith(".py") else name


def _module_name(module):
    spec = getattr(module, "__spec__", None)
    return spec.name if spec else module.__name__
