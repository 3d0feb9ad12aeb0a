"""`map` over Beam: what tfvae does one by one in a process, on as many workers as a runner has.

Values and results pass through files of the folder that all workers see, so that the same code serves a laptop and a
cluster; a function that is cut off leaves what it finished behind, and callers resume from that.
"""

import functools
import pickle
import tempfile
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

# One machine: a process for each worker. `--runner=FlinkRunner` and the like take its place.
_LOCAL = "--direct_running_mode=multi_processing"


def spread(arguments=(), num_workers=1, scratch=None):
    """A `map` that applies its function on Beam.

    Args:
        arguments: flags of Beam's runner; without any, Beam's own runner with `num_workers` processes.
        num_workers: of those.
        scratch: a folder that all workers see, for results; a temporary one of this machine by default.

    Returns:
        (function, values) -> results in the order of the values; the function and the values are pickled.
    """
    options = PipelineOptions(
        list(arguments) or [_LOCAL, f"--direct_num_workers={num_workers}"], save_main_session=False
    )
    return functools.partial(_mapped, options, scratch)


def _mapped(options, scratch, function, values):
    values = list(values)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".results-") as folder:
        with beam.Pipeline(options=options) as pipeline:
            (
                pipeline
                | beam.Create(list(enumerate(values)))
                | beam.Reshuffle()  # Otherwise all values are one bundle, on one worker.
                | beam.Map(functools.partial(_call, function, folder))
            )
        return [pickle.loads(_result(folder, i).read_bytes()) for i in range(len(values))]


def _call(function, folder, numbered):
    number, value = numbered
    path = _result(folder, number)
    beside = path.with_suffix(".partial")
    beside.write_bytes(pickle.dumps(function(value)))
    beside.rename(path)


def _result(folder, number):
    return Path(folder) / f"{number:08}.pickle"
