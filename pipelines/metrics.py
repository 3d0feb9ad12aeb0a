"""The Evaluator's criteria as metrics of TensorFlow Model Analysis: error, calibration and bound.

The same definitions as in `tfvae.evaluation`, summed up example by example, so that any Beam runner can do it.
"""

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from tfvae.evaluation.classification import NUM_BINS

SIGNATURE = "evaluate_example"
ERROR, CALIBRATION_ERROR, BOUND = "error", "calibration_error", "bound"


class Error(metric_types.Metric):
    """The fraction of examples whose most probable class is not their label; a NaN counts as wrong."""

    def __init__(self, name=ERROR):
        super().__init__(_computations(_Error), name=name)


class CalibrationError(metric_types.Metric):
    """The expected calibration error in 15 bins of equal width (Guo et al. 2017, eq. 3)."""

    def __init__(self, name=CALIBRATION_ERROR):
        super().__init__(_computations(_CalibrationError), name=name)


class Bound(metric_types.Metric):
    """The mean bound on log p(x), in nats."""

    def __init__(self, name=BOUND):
        super().__init__(_computations(_Bound), name=name)


def _computations(combiner):
    """TFMA's function of a metric's name and models that makes its computations."""

    def computations(name, eval_config=None, model_names=None, **_):
        del eval_config
        made = []
        for model_name in model_names or [""]:
            key = metric_types.MetricKey(name=name, model_name=model_name)
            made.append(metric_types.MetricComputation([key], [], combiner(key, model_name)))
        return made

    return computations


class _Mean(beam.CombineFn):
    """Sums of an array over examples, and what follows from them."""

    size = 2

    def __init__(self, key, model_name):
        self._key, self._model_name = key, model_name

    def create_accumulator(self):
        return np.zeros(self.size)

    def add_input(self, accumulator, element):
        label, predictions = (get(self._model_name) for get in (element.get_labels, element.get_predictions))
        return accumulator + self.of_example(label, predictions)

    def merge_accumulators(self, accumulators):
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, accumulator):
        return {self._key: self.value(accumulator)}

    def value(self, sums):
        return float(sums[0] / max(1, sums[1]))

    def of_example(self, label, predictions):
        raise NotImplementedError


class _Error(_Mean):
    def of_example(self, label, predictions):
        right, _ = _judged(label, predictions)
        return np.array([not right, 1])


class _Bound(_Mean):
    def of_example(self, label, predictions):
        # TFMA takes an answer of one output out of its dict.
        bound = predictions[BOUND] if isinstance(predictions, dict) else predictions
        return np.array([float(np.ravel(bound)[0]), 1])


class _CalibrationError(_Mean):
    size = 3 * NUM_BINS

    def of_example(self, label, predictions):
        right, confidence = _judged(label, predictions)
        sums = np.zeros([3, NUM_BINS])
        # Bins are open on the left, as in `tfvae.evaluation.classification.calibration`.
        sums[:, np.clip(int(np.ceil(confidence * NUM_BINS)) - 1, 0, NUM_BINS - 1)] = 1, confidence, right
        return sums.ravel()

    def value(self, sums):
        count, confidence, right = sums.reshape(3, NUM_BINS)
        return float(np.abs(confidence - right).sum() / max(1, count.sum()))


def _judged(label, predictions):
    """(whether the most probable class is the label, its probability)."""
    probs = np.ravel(predictions["probabilities"])
    if not np.isfinite(probs).all():
        return False, 1.0
    return int(probs.argmax()) == int(np.ravel(label)[0]), float(probs.max())
