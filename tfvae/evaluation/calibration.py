"""What is learned from held-out rows after training, so that answers mean what they say: a temperature for the
probabilities, and scores among which that of a new image has a rank.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability, Endpoint
from tfvae.evaluation import novelty, temperature
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.storage import atomic, checked_json

TEMPERATURE, NOVELTY = "temperature", "novelty"
CALIBRATED, P_VALUE = "calibrated_probabilities", "p_value"


_OTHERWISE = "delete it, and it is fitted anew where the data are"


class Calibration(NamedTuple):
    """What validation rows say; test rows are never asked.

    temperature:      T; None where it is missing.
    temperature_rows: labelled validation rows that it was fitted on.
    scores:           of n validation images in rising order, nats; empty where they are missing.
    missing:          "temperature" and "novelty" -> why there is none.
    """

    temperature: float | None = None
    temperature_rows: int = 0
    scores: tuple[float, ...] = ()
    missing: Mapping[str, str] = MappingProxyType({})

    def endpoints(self, model) -> dict[str, Endpoint]:
        """Those of the model: `classify` with `calibrated_probabilities` and `p_value` beside what it answers anyway,
        and `novelty`, as far as they are known.
        """
        served = dict(model.endpoints())
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        if "classify" in served and [spec.name for spec in served["classify"].signature] == [IMAGE]:
            classify = served["classify"].function
            served["classify"] = Endpoint(lambda image: self._beside(model, image, classify(image)), [image])
        if self.scores:
            served[NOVELTY] = Endpoint(lambda image: {P_VALUE: self.p_values(model, image)}, [image])
        return served

    def p_values(self, model, image) -> tf.Tensor:
        """p of observations [B, ...]: [B]."""
        return novelty.p_values(novelty.scores(model, image), self.scores)

    def described(self) -> dict[str, Any]:
        """What clients should know, as JSON values."""
        known: dict[str, Any] = {}
        if self.temperature is not None:
            known[TEMPERATURE] = {"value": self.temperature, "rows": self.temperature_rows}
        if self.scores:
            known[NOVELTY] = {"score": "bound", "rows": len(self.scores), "smallest_p": 1.0 / (len(self.scores) + 1)}
        return {**known, "missing": dict(self.missing)}

    def _beside(self, model, image, answer):
        if self.temperature is not None:
            answer = {**answer, CALIBRATED: temperature.scaled(answer["probabilities"], self.temperature)}
        return {**answer, P_VALUE: self.p_values(model, image)} if self.scores else answer


# In `calibration.json`; `weights` are those that it was fitted for.
_STORED = (*Calibration._fields, "weights")


def fit(model, data) -> Calibration:
    """What the validation rows of `tfvae.data.load.Data` say of a model; the same every time."""
    missing, fitted = {}, Calibration()
    if temperature.can_be_fitted(model, data):
        value, num = temperature.of_validation(model, data)
        fitted = fitted._replace(temperature=value, temperature_rows=num)
    elif model.can(Capability.CLASSIFY):
        missing[TEMPERATURE] = "no validation row has a label" if len(data.validation) else "there is no validation row"
    else:
        missing[TEMPERATURE] = "the model does not classify"
    if not novelty.can_be_asked(model, data):
        missing[NOVELTY] = "the model has no bound of single images, or there is no validation row"
        return fitted._replace(missing=missing)
    scores = novelty.of_validation(model, data)
    if np.mean(scores > novelty.LOWEST) > 0.5:
        return fitted._replace(scores=tuple(scores.tolist()), missing=missing)
    missing[NOVELTY] = "the bounds of most validation rows are not finite"
    return fitted._replace(missing=missing)


def store(model, data, workdir) -> None:
    """Fits and writes `calibration.json` of a run whose best weights the model has."""
    directory = RunDirectory(workdir)
    fitted = fit(model, data)._asdict()
    checked_json.write(directory.calibration, {**fitted, "weights": _weights(directory)})


def of_run(model, workdir, load_data=None) -> Calibration:
    """That of an opened run: the one that was stored with its weights, else it is fitted anew if its data are there.

    Args:
        model: with the best weights.
        workdir: of the run.
        load_data: () -> `tfvae.data.load.Data`, all of it; by default of the run.
    """
    directory = RunDirectory(workdir)
    stored = checked_json.read(directory.calibration, _STORED, _OTHERWISE) if directory.calibration.exists() else {}
    # Weights of another epoch, of a run that went on and was stopped, have other probabilities.
    if stored and stored.pop("weights") == _weights(directory):
        return Calibration(**{**stored, "scores": tuple(stored["scores"])})
    try:
        data = load_data() if load_data else opening.load_data(workdir)
    except (ValueError, OSError):
        gone = "the run has no calibration of these weights, and its data are not there to fit one"
        return Calibration(missing={TEMPERATURE: gone, NOVELTY: gone})
    return fit(model, data)


def _weights(directory):
    """What tells the best weights from others; None of a run that has none yet."""
    beside = atomic.sidecar(directory.best_weights)
    return beside.read_text().split()[0] if beside.exists() else None
