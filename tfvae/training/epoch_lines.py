"""What somebody who waits for a training sees: epochs, the best so far, the time that is left."""

import collections
import statistics
import time

import keras

from tfvae import metrics
from tfvae.evaluation import intervals
from tfvae.progress import Progress, duration

_RECENT = 20  # Epochs whose time tells that of those to come: the first one compiles.


class EpochLines(keras.callbacks.Callback):
    """Lines on standard error, one every so often; the last epoch always has one.

    Comes after the callbacks that validate and that count steps.

    Args:
        state: `TrainingState`.
        settings: `tfvae.settings.Config`.
        progress: `Progress`.
        rows: labelled validation rows, which errors are counted on; their interval is told with the best one.
    """

    def __init__(self, state, settings, progress=None, rows=0):
        super().__init__()
        self.state = state
        self.settings = settings
        self.progress = progress or Progress()
        self.rows = rows
        self._began = 0.0
        self._seconds = collections.deque(maxlen=_RECENT)

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        done = self.state.step % self.state.steps_per_epoch
        if done:
            self.progress(lambda: self._within(done, logs))

    def on_epoch_end(self, epoch, logs=None):
        self._seconds.append(time.monotonic() - self._began)
        self.progress(lambda: self._after(epoch + 1, logs))

    def on_train_end(self, logs=None):
        self.progress.end()

    def _within(self, done, logs):
        name, value = next(iter(logs.items()))
        line = f"epoch {self.state.epoch + 1} of {self.settings.epochs}: "
        return line + f"step {done} of {self.state.steps_per_epoch}, {name} {float(value):.4g}{self._best()}"

    def _after(self, done, logs):
        monitor = self.state.monitor
        value = metrics.METRICS[monitor.name].shown(logs[monitor.key])
        return f"epoch {done} of {self.settings.epochs}: {monitor.key} {value}{self._best()}{self._left(done)}"

    def _best(self):
        monitor = self.state.monitor
        if monitor.best is None:
            return ""
        interval = intervals.in_words(monitor.best, self.rows) if monitor.name == "error" else ""
        told = [metrics.METRICS[monitor.name].shown(monitor.best), interval, f"epoch {monitor.best_epoch}"]
        return f" (best {', '.join(filter(None, told))})"

    def _left(self, done):
        left = self.settings.epochs - done
        if not left or self.model.stop_training:
            return ""
        at_most = "at most " if self.settings.patience else "about "
        return f", {at_most}{duration(left * statistics.median(self._seconds))} left"
