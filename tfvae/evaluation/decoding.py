"""What does each layer still know of how an image was made? Linear classifiers of its factors."""

import functools

import numpy as np
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfvae.batch import FACTORS, IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS

KEY = "decoding_error"
NUM_BINS, NUM_COMPONENTS = 10, 10
# Largest maps have a hundred thousand numbers an image, of which components are found.
_ROWS = 2000


def applies(model, data, rows):
    """Whether layers can be looked at, and images for the classifiers and for their test have factors."""
    return model.can(Capability.ACTIVATIONS) and all(part.has(IMAGE, FACTORS).any() for part in (data.train, rows))


def measure(model, data, rows, settings):
    """Errors of classifiers that find a factor's bin from a layer's ten first principal components.

    Components, bins of equal counts and classifiers are fitted on training rows, and judged on others.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples` of the test, of which those with factors count.
        settings: the seed of the rows, where there are more than 2,000.

    Returns:
        {"decoding_error": {factor: {layer: fraction}}}; guessing is wrong in nine cases of ten.

    Nguyen et al. 2016, section 5.4 and figure 4.
    """
    known, tested = (
        subset(part.take(np.flatnonzero(part.has(FACTORS))), _ROWS, settings.seed) for part in (data.train, rows)
    )
    names = data.info.names.get(FACTORS) or tuple(map(str, range(known[FACTORS].shape[1])))
    errors = {name: {} for name in names}
    for layer in model.activations(tf.constant(data.observe(known.take(slice(0, 1))))):
        train, test = (_activations(model, layer, data, part) for part in (known, tested))
        components = PCA(min(NUM_COMPONENTS, *train.shape), svd_solver="randomized", random_state=0).fit(train)
        train, test = components.transform(train), components.transform(test)
        for i, name in enumerate(names):
            of_train, of_test = _bins(known[FACTORS][:, i], tested[FACTORS][:, i])
            errors[name][layer] = _error(train, of_train, test, of_test)
    return {KEY: errors}


def _activations(model, layer, data, rows):
    """What one layer hands on, flattened: [N, D]; layers above it are not computed."""
    # A partial rather than a closure: TensorFlow counts the traces of closures of one code together, and warns.
    maps = tf.function(functools.partial(_maps, model, layer))
    found = map_rows(lambda image, _: maps(image), data, rows, at_once(model, 200))
    return found.reshape(len(found), -1).astype(np.float32)


def _maps(model, layer, image):
    return model.activations(image)[layer]


def _bins(train, test):
    """The bin of every value, from 0; edges are the tenths of the training values."""
    edges = np.unique(np.quantile(train, np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
    return np.searchsorted(edges, train), np.searchsorted(edges, test)


def _error(train, of_train, test, of_test):
    if len(np.unique(of_train)) < 2:
        return float(np.mean(of_test != of_train[0]))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(train, of_train)
    return float(np.mean(classifier.predict(test) != of_test))


def headlines(metrics, data):
    """The layer that knows most of the factors, where they were decoded."""
    found = metrics.get(KEY)
    if not found:
        return []
    layers = next(iter(found.values()))
    means = {layer: np.mean([errors[layer] for errors in found.values()]) for layer in layers}
    best = min(means, key=means.get)
    meaning = (
        f"Of {', '.join(found)}, each in {NUM_BINS} bins, found by a linear classifier from the first {NUM_COMPONENTS} "
        f"principal components of `{best}`, which knows most of them; the last layer, `{layers and list(layers)[-1]}`, "
        f"is wrong in {METRICS['error'].shown(means[list(layers)[-1]])}, guessing in 90 %."
    )
    return [Headline("Factors not decoded", METRICS["error"].shown(means[best]), meaning, rank=120)]


MEASUREMENT = Measurement(applies, measure, headlines)
