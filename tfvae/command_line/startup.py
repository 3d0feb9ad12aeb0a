"""TensorFlow's start, without what it writes whatever the level of its log."""

import os
import sys
import tempfile

from absl import flags

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_GPU = "/dev/nvidiactl"  # Where it stands, what TensorFlow says of the device is worth reading.


def import_tensorflow():
    """Imports TensorFlow quietly; an error is shown with all that was written.

    `--verbosity=1`, or TF_CPP_MIN_LOG_LEVEL of 0 or 1, asks for the lines.
    """
    asked = os.environ.get(_LEVEL) in ("0", "1") or (flags.FLAGS.is_parsed() and flags.FLAGS.verbosity > 0)
    if "tensorflow" in sys.modules or asked:
        return
    # Without a GPU even its errors are none, such as what oneDNN leaves to Eigen on an older processor; one of a
    # computation is raised besides.
    os.environ.setdefault(_LEVEL, "2" if os.path.exists(_GPU) else "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow as tf

            if not os.path.exists(_GPU):
                tf.config.list_physical_devices()  # Looks for a GPU, and tells that there is none.
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
