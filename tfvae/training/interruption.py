"""SIGTERM and Ctrl-C end training between two steps, after a checkpoint."""

import signal
import threading

from absl import logging

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """A context that notes the first SIGTERM or SIGINT, so that training can stop between two steps.

    Outside the steps there is nothing to save, and it exits at once; so it does on a second signal. In a thread other
    than the main one signals are left as they are.

    Attributes:
        requested: number of the signal that asked to stop, or None.
        waits: whether a signal is noted for the next step boundary rather than obeyed at once.
    """

    def __init__(self):
        self.requested = None
        self.waits = False
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def exit(self):
        """Ends the process as the shell expects it of that signal: 143 for SIGTERM, 130 for SIGINT."""
        raise SystemExit(128 + self.requested)

    def _note(self, number, frame):
        del frame
        again = self.requested is not None
        self.requested = number
        if again or not self.waits:
            self.exit()
        logging.warning("%s: saving a checkpoint after this step, then stopping.", signal.Signals(number).name)
