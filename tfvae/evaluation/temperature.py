"""Are stated probabilities frequencies? One temperature T, fitted on held-out labels, makes them so where it can:

    q_T(y | x) ∝ q(y | x)^(1/T)

It moves no class before another, so that errors stay.  Guo et al. 2017, "On calibration of modern neural networks".
"""

import numpy as np
import tensorflow as tf
from scipy import optimize, special

from tfvae.capabilities import Capability
from tfvae.evaluation import classification, labels, nouns
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS, Metric

ECE = Metric("ece_calibrated", "Calibration error after temperature scaling", "%")
NLL = Metric("label_nll_calibrated", "Negative log-likelihood of labels after temperature scaling", "nats")

_LEAST = float(np.finfo(np.float32).tiny)  # Probabilities below are taken for it.
_LARGEST = 100.0  # T lies between 1 / 100 and 100.


def fit(probs, label):
    """The temperature of the least negative log-likelihood of labels, with log T ~ N(0, 1) as one row's worth of doubt.

    Without the prior T would be 0 where all rows are right, and every probability 1; hundreds of rows outweigh it.

    Args:
        probs: [N, K]; rows that are not finite are left out.
        label: [N], integers.

    Returns:
        T > 0; above 1 where the model is too sure, below 1 where it is not sure enough.

    Raises:
        ValueError: if no row is left.
    """
    valid = np.isfinite(probs).all(axis=1)
    log_probs, label = np.log(np.maximum(probs[valid].astype(np.float64), _LEAST)), np.asarray(label)[valid]
    if not len(label):
        raise ValueError("A temperature needs labelled rows with finite probabilities, and there are none.")

    def objective(log_t):
        scaled = special.log_softmax(log_probs / np.exp(log_t), axis=1)
        return -np.mean(scaled[np.arange(len(label)), label]) + 0.5 * log_t**2 / len(label)

    ends = (-np.log(_LARGEST), np.log(_LARGEST))
    return float(np.exp(optimize.minimize_scalar(objective, bounds=ends, method="bounded").x))


def scaled(probs, temperature):
    """q_T of q: [..., K]; a tensor, so that a served graph has it too."""
    return tf.nn.softmax(tf.math.log(tf.maximum(tf.cast(probs, tf.float32), _LEAST)) / temperature)


def of_validation(model, data):
    """(T, labelled validation rows that it was fitted on)."""
    rows = labels.labelled(data.validation)
    return fit(classification.probabilities(model, data, rows), rows.label), len(rows)


def can_be_fitted(model, data):
    """Whether the model classifies, and validation rows have labels."""
    return model.can(Capability.CLASSIFY) and labels.can_compare(data, data.validation)


def applies(model, data, rows):
    """Whether there is a temperature, and rows with labels that it was not fitted on."""
    return rows is not data.validation and can_be_fitted(model, data) and labels.can_compare(data, rows)


def measure(model, data, rows, settings):
    """Calibration of labelled rows once the temperature is applied; `ece` and `label_nll` are those before.

    Args:
        model, data: the model and `tfvae.data.load.Data`, on whose validation rows the temperature is fitted.
        rows: `Examples`; those without a label are left out.
        settings: nothing here is drawn.

    Returns:
        {"temperature", "temperature_rows" (validation rows it was fitted on), "ece_calibrated",
        "label_nll_calibrated" (nats)}.
    """
    del settings
    temperature, num = of_validation(model, data)
    rows = labels.labelled(rows)
    probs = scaled(classification.probabilities(model, data, rows), temperature).numpy()
    return {
        "temperature": temperature,
        "temperature_rows": num,
        ECE.name: classification.expected_calibration_error(probs, rows.label),
        NLL.name: classification.label_nll(probs, rows.label),
    }


def headlines(metrics, data):
    """The calibration error after beside the one before."""
    if metrics.get(ECE.name) is None:
        return []
    before = f", {METRICS['ece'].shown(metrics['ece'])} before" if metrics.get("ece") is not None else ""
    meaning = (
        f"Of test {nouns.plural(data)} with calibrated probabilities{before}: the temperature "
        f"{metrics['temperature']:.2f} was fitted on {metrics['temperature_rows']:,} labelled ones for validation. "
        "Above 1 the model was too sure of itself."
    )
    return [Headline("After temperature scaling", ECE.shown(metrics[ECE.name]), meaning, rank=91)]


MEASUREMENT = Measurement(applies, measure, headlines, metrics=(ECE, NLL))
