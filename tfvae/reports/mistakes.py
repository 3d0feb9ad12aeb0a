"""Test images that were misclassified."""

from typing import NamedTuple

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation import classification, labels
from tfvae.reports import generation, thumbnails


class Mistake(NamedTuple):
    """A test image that was misclassified: JPEG bytes, the names of the two classes, and the stated probability."""

    image: bytes
    true: str
    predicted: str
    confidence: float


def mistakes(model, data, limit=18):
    """The most confident mistakes on test images: often wrong labels, else where the model needs more examples."""
    rows = labels.labelled(data.test)
    if not (model.can(Capability.CLASSIFY) and generation.has_pictures(data) and len(rows)):
        return []
    probs = np.nan_to_num(classification.probabilities(model, data, rows))
    predicted, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(predicted != rows.label)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    if not len(wrong):
        return []
    shown = rows.take(wrong).image  # As they are, whatever the transform leaves of them.
    return [
        Mistake(
            thumbnails.of_array(image),
            data.class_names[rows.label[row]],
            data.class_names[predicted[row]],
            float(confidence[row]),
        )
        for row, image in zip(wrong, shown, strict=True)
    ]
