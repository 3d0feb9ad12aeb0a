"""What happens between steps and after epochs: validation, metrics, best weights, checkpoints, stopping."""

import math
import time

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.capabilities import Capability
from tfvae.data.entries.label import NO_LABEL
from tfvae.evaluation import captioning, classification, tagging
from tfvae.evaluation.batched import at_once, subset
from tfvae.probability import noise
from tfvae.storage import checkpoints
from tfvae.training import optimiser

_ROWS = 200  # Of validation in one call.
_LOOKED_AT = 2000  # Training rows that a model may look at before an epoch.


class Steps(keras.callbacks.Callback):
    """Counts steps; stops at a step boundary when a signal asked for it, and at once when a metric is not finite.

    Args:
        state: `TrainingState`.
        interruption: `Interruption`.
        on_non_finite: called with the logs; raises.
        steps_per_call: training steps between two calls.
    """

    def __init__(self, state, interruption, on_non_finite, steps_per_call=1):
        super().__init__()
        self.state = state
        self.interruption = interruption
        self.on_non_finite = on_non_finite
        self.steps_per_call = steps_per_call

    def on_epoch_begin(self, epoch, logs=None):
        self.state.restore_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.state.step += self.steps_per_call
        if not all(map(math.isfinite, logs.values())):
            self.on_non_finite(logs)
        # After the last step of an epoch its validation comes first, as it would have without the signal.
        if self.interruption.requested and self.state.step % self.state.steps_per_epoch:
            self.state.save()
            self.interruption.exit()


class Beginnings(keras.callbacks.Callback):
    """Tells a model that an epoch begins, of which no step was done yet.

    Args:
        state: `TrainingState`.
        data: `tfvae.data.load.Data`.
        seed: of the rows that a model may look at.
    """

    def __init__(self, state, data, seed):
        super().__init__()
        self.state, self.data, self.seed = state, data, seed

    def on_epoch_begin(self, epoch, logs=None):
        if self.state.step % self.state.steps_per_epoch == 0:
            self.state.model.begin_epoch(self.state.step // self.state.steps_per_epoch, self._images)

    def _images(self):
        return self.data.observe(subset(self.data.train, _LOOKED_AT, self.seed))


class Validation(keras.callbacks.Callback):
    """Adds to the logs of an epoch what the model makes of the validation rows: `val_<term>`, `val_error`,
    `val_perplexity`, `val_tag_map`.

    All replicas hold the same variables, so one of them measures all rows; Keras' own validation would deal an uneven
    last batch to the replicas and average over an empty share.

    Args:
        data: `tfvae.data.load.Data`.
        on_non_finite: called with the logs; raises.
    """

    def __init__(self, data, on_non_finite):
        super().__init__()
        self.data = data
        self.on_non_finite = on_non_finite
        labelled = data.validation.label != NO_LABEL
        self.labelled_rows = data.validation.take(np.flatnonzero(labelled))
        self.captioned_rows = captioning.captioned(data.validation)
        self.tagged_rows = tagging.tagged(data.validation)
        self._batches = self._measure = None

    def set_model(self, model):
        if self._measure is not None:
            return  # The rest of an interrupted epoch and the epochs after it are two calls of `fit`.
        super().set_model(model)
        # Made once: an input pipeline costs a tenth of a second, every epoch.
        self._batches = self.data.evaluation_batches(self.data.validation, batch_size=at_once(model, _ROWS))
        # The noise is that of `test_step`: the same every epoch, so that epochs can be compared.
        self._measure = tf.function(lambda batch: model.objective(batch, noise.seed(model.seed)), reduce_retracing=True)

    def on_epoch_end(self, epoch, logs=None):
        logs.update({f"val_{name}": value for name, value in self._terms().items()})
        if self.model.can(Capability.CLASSIFY) and len(self.labelled_rows):
            probs = classification.probabilities(self.model, self.data, self.labelled_rows)
            logs["val_error"] = classification.error_rate(probs, self.labelled_rows.label)
        if self.model.can(Capability.CAPTION) and len(self.captioned_rows):
            logs["val_perplexity"] = captioning.perplexity(self.model, self.data, self.captioned_rows)
        if self.model.can(Capability.TAG) and len(self.tagged_rows):
            logs["val_tag_map"] = tagging.mean_average_precision(self.model, self.data, self.tagged_rows)
        if not all(map(math.isfinite, logs.values())):
            self.on_non_finite(logs)

    def _terms(self):
        """Means over the validation rows."""
        sums, counts = {}, {}
        for batch in self._batches:
            objective = self._measure(batch)
            rows = len(next(iter(tf.nest.flatten(batch))))
            for name, value in {"loss": tf.fill([rows], objective.loss), **objective.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(np.sum(value, dtype=np.float64))
                counts[name] = counts.get(name, 0) + int(tf.size(value))
        return {name: sums[name] / counts[name] for name in sums}


class Epochs(keras.callbacks.Callback):
    """After each epoch, in the order that makes a kill at any point harmless: metrics line, best weights, checkpoint.

    A checkpoint comes last: a run resumed from it finds the line and the best weights of its epoch, and one that was
    killed before it does the epoch again and writes the same.

    Args:
        state: `TrainingState`.
        interruption: `Interruption`.
        settings: `tfvae.settings.Config`.
    """

    def __init__(self, state, interruption, settings):
        super().__init__()
        self.state = state
        self.interruption = interruption
        self.settings = settings
        self._began = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        state, monitor = self.state, self.state.monitor
        done = epoch + 1
        better = monitor.observe(done, logs[monitor.key])
        seconds = round(time.monotonic() - self._began, 3)
        rates = optimiser.learning_rates(self.model)
        state.log.append({"epoch": done, "step": state.step, "seconds": seconds, **rates, **logs})
        if better:
            checkpoints.save_weights(state.directory.best_weights, self.model)
        if monitor.exhausted:
            logging.info("No better validation %s for %d epochs: stopping.", monitor.name, monitor.patience)
            self.model.stop_training = True
        last = done == self.settings.epochs or self.model.stop_training
        if last or done % self.settings.checkpoint_epochs == 0 or self.interruption.requested:
            state.save()
        if self.interruption.requested:
            self.interruption.exit()
