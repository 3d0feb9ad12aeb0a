"""What the model makes of images without a label: by the class that it gives them, with its confidence."""

from typing import NamedTuple

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation import classification, nouns
from tfvae.evaluation.batched import subset
from tfvae.reports import generation, roles, thumbnails

_ASKED = 2000
_SHOWN = 240  # Thumbnails of all classes together.
_SUREST, _LEAST = 12, 6  # Of a class, at most.


class Guess(NamedTuple):
    """An image (JPEG bytes) and the probability of the class that it was given."""

    image: bytes
    confidence: float


class Group(NamedTuple):
    """The images of a predicted class: how many, which share of all that were asked about, and some of them.

    labelled: the share of the class among labelled training images, to hold the other share against.
    """

    name: str
    count: int
    share: float
    labelled: float
    surest: list[Guess]
    least_sure: list[Guess]


class Guesses(NamedTuple):
    """summary: what was asked, and which classes no image was given; groups: in the order of the classes."""

    summary: str
    groups: list[Group]


def guesses(model, data, seed=0):
    """`Guesses`; None where the model does not classify images, or all of them are labelled."""
    if not (model.can(Capability.CLASSIFY) and generation.has_pictures(data)):
        return None
    every = roles.of(data)["unlabelled"]
    rows = subset(every, _ASKED, seed)
    if not len(rows):
        return None
    probs = np.nan_to_num(classification.probabilities(model, data, rows))
    predicted, confidence = probs.argmax(axis=1), probs.max(axis=1)
    groups = [_group(data, rows, k, np.flatnonzero(predicted == k), confidence) for k in np.unique(predicted)]
    never = [name for k, name in enumerate(data.class_names) if k not in predicted]
    return Guesses(_summary(data, len(rows), len(every), never), groups)


def _group(data, rows, k, members, confidence):
    members = members[np.argsort(-confidence[members], kind="stable")]
    most = max(2, _SHOWN // max(1, len(data.class_names)))
    surest = members[: min(_SUREST, most)]
    least = members[len(surest) :][::-1][: min(_LEAST, most // 2)][::-1]
    share = float(np.mean(data.labelled.label == k)) if len(data.labelled) else 0.0
    shown = (
        [Guess(thumbnails.of_array(rows.image[i]), float(confidence[i])) for i in part] for part in (surest, least)
    )
    return Group(data.class_names[k], len(members), len(members) / len(rows), share, *shown)


def _summary(data, asked, of, never):
    which = nouns.counted(of, data, "unlabelled training")
    told = f"{asked:,} of the {which}, drawn at random" if asked < of else f"All {which}"
    told += ", by the class that the model gives them: the surest, and the least sure ones behind them."
    if never:
        told += f" None was given the class{'' if len(never) == 1 else 'es'} {', '.join(never[:20])}."
    return f"{told} Their labels are not known, so nothing here says how many are right."
