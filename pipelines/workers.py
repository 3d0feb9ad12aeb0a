"""The flags of what is spread over workers."""

import logging
import shlex

from absl import flags
from absl import logging as absl_logging

from pipelines import beam

_WORKERS = flags.DEFINE_integer("workers", 1, "Processes on this machine.", lower_bound=1)
_BEAM = flags.DEFINE_string("beam", "", "Flags of a Beam runner, e.g. '--runner=FlinkRunner --flink_master=...'.")
_SCRATCH = flags.DEFINE_string("scratch", None, "A folder that all workers see, for results on their way.")


def of_flags():
    """`beam.spread` as the flags say, without Beam's pages about each worker."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    if _BEAM.value and flags.FLAGS["workers"].present:
        raise ValueError("`--workers` are processes of this machine; with `--beam` the runner's own flags name them.")
    return beam.spread(shlex.split(_BEAM.value), _WORKERS.value, _SCRATCH.value)
