"""`map` over Beam: what tfvae does one by one in a process, on as many workers as a runner has.

Values and results pass through files of the folder that all workers see, so that the same code serves a laptop and a
cluster; a function that is cut off leaves what it finished behind, and callers resume from that.
"""

import functools
import pickle
import socket
import tempfile
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from tfvae.storage import atomic, reachable, unfinished

# A process for each worker of this machine. The runner is named, because Beam's default looks for one of another kind
# on the internet first.
_LOCAL = ("--runner=FnApiRunner", "--direct_running_mode=multi_processing")


def spread(arguments=(), num_workers=1, scratch=None):
    """A `map` that applies its function on Beam.

    Args:
        arguments: flags of Beam's runner; without any, Beam's own with `num_workers` processes.
        num_workers: of those.
        scratch: a folder that all workers see, for results; a temporary one of this machine by default.

    Returns:
        (function, values) -> results in the order of the values; the function and the values are pickled.

    Raises:
        ValueError: if the runner is on other machines and there is no `scratch`.
    """
    if arguments and not scratch and "--runner=FnApiRunner" not in arguments:
        raise ValueError("Workers of a Beam runner need a folder that all of them see: name one, `--scratch=`.")
    scratch = scratch and str(Path(scratch).absolute())  # Workers may have another working directory.
    options = list(arguments) or [*_LOCAL, f"--direct_num_workers={num_workers}"]
    return functools.partial(_mapped, PipelineOptions(options, save_main_session=False), scratch)


def _mapped(options, scratch, function, values):
    values = list(values)
    with _place(scratch) as folder:
        with beam.Pipeline(options=options) as pipeline:
            (
                pipeline
                | beam.Create(list(enumerate(values)))
                | beam.Reshuffle()  # Otherwise all values are one bundle, on one worker.
                | beam.Map(functools.partial(_call, function, folder))
            )
        return [_opened(_result(folder, i)) for i in range(len(values))]


def _place(scratch):
    """A folder for results: of this machine, or below `scratch`, where what killed calls left is removed."""
    return unfinished.workshop(scratch, "results") if scratch else tempfile.TemporaryDirectory(prefix="tfvae-results-")


def _call(function, folder, numbered):
    """Leaves the result of one value, or the error that a user can mend: Beam would bury it in its own."""
    reachable.require(folder)
    number, value = numbered
    try:
        result = function(value), None
    except ValueError as error:
        result = None, error
    except OSError as error:
        result = None, _of_this_machine(error)
    path = _result(folder, number)
    atomic.write_bytes(path, pickle.dumps(result))


def _of_this_machine(error):
    """An error of the system as it is told elsewhere: on one of many machines it may be one of its own."""
    if isinstance(error, reachable.UnreachableError) or error.errno is None:
        return error
    return OSError(error.errno, f"On the machine {socket.gethostname()}: {error.strerror}", error.filename)


def _opened(path):
    value, error = pickle.loads(path.read_bytes())
    if error is not None:
        raise error
    return value


def _result(folder, number):
    return Path(folder) / f"{number:08}.pickle"
