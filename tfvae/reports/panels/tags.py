"""What do the elements of the top dictionary mean? Their most probable words, from a model that tags."""

import numpy as np

from tfvae.batch import TAGS
from tfvae.capabilities import Capability
from tfvae.evaluation.batched import at_once, map_rows
from tfvae.evaluation.compiled import compiled
from tfvae.reports import figures, generation
from tfvae.reports.panel import Panel, Panels, some_rows

_ELEMENTS, _COLUMNS, _WORDS = 24, 6, 4
_LEAST = 0.02  # A word with less of an element's probability is not one of its words.


def draw(model, data, metrics, seed):
    """The elements that say most, each with its words, where the model has tags and dictionaries."""
    del metrics
    rows = some_rows(data, seed)
    has = model.can(Capability.TAG) and model.can(Capability.DICTIONARY) and TAGS in data.entries
    if not (has and len(rows) and generation.has_pictures(data)):
        return []
    usage = compiled(model, "tag_usage")
    share = map_rows(lambda image, _: usage(image), data, rows, at_once(model, 500)).mean(axis=0)
    chosen = np.argsort(-share)[:_ELEMENTS]
    top = len(model.deconvnet.levels) - 1
    images = _contrasted(model.dictionary_elements(top).numpy()[chosen])
    said = words(model.tag_topics().numpy()[chosen], data.entries[TAGS].names)
    texts = [(", ".join(of), f"{of_element:.2g} tags an image") for of, of_element in zip(said, share[chosen])]
    caption = (
        "Elements of the top dictionary in the image plane, gray for nothing, with the words that go with each: what "
        "the model says of an image in which the element is used. Below, how many tags of a held-out image it accounts "
        "for on average; those that say most come first (Pu 2017, section 3.3.3)."
    )
    return [Panel("What elements say", caption, figures.captioned(images, texts, _COLUMNS))]


def words(topics, names, num=_WORDS):
    """The most probable words of every element: [K, L] and L names -> K lists, the most probable first."""
    order = np.argsort(-topics, axis=1, kind="stable")[:, :num]
    return [[names[i] for i in of if topics[k, i] >= _LEAST] for k, of in enumerate(order)]


def _contrasted(elements):
    """Each element about gray, its largest value black or white."""
    largest = np.abs(elements).max(axis=(1, 2, 3), keepdims=True)
    return 0.5 + 0.5 * elements / np.maximum(largest, 1e-12)


PANELS = Panels("inside", draw, rank=16)
