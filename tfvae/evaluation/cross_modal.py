"""Does one code stand behind both images? Classifiers that learn of one modality are asked about another one.

Ngiam et al. 2011; Shah, section 7.4.2 and table 7.2.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation import labels, nouns
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled, function_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.probability import noise

ACCURACY = Metric("cross_modal_accuracy", "Accuracy across modalities", "%", True)
REVERSE = Metric("cross_modal_accuracy_reverse", "The same the other way", "%", True)
COHERENCE = Metric("coherence", "Translations of the right class", "%", True)
COHERENCE_REVERSE = Metric("coherence_reverse", "The same the other way", "%", True)
_TRAINED_ON = 10_000  # Labelled training rows at most.
_BATCH = 200


def applies(model, data, rows):
    """Whether the model translates, and training and test rows have labels and both images."""
    several = model.can(Capability.TRANSLATE) and len(data.transforms) > 1
    return several and labels.can_compare(data, rows) and len(_to_learn(data, 0)) > 0


def measure(model, data, rows, settings):
    """Accuracies of one-layer perceptrons between the first image and the second.

    Args:
        model, data: the model and `tfvae.data.load.Data`. The classifiers learn of labelled training rows, whether or
            not the model was shown their images as pairs.
        rows: test `Examples`.
        settings: the seed of draws and classifiers.

    Returns:
        {"cross_modal_accuracy": trained on posterior means of the first image, asked about those of the second,
        "cross_modal_accuracy_reverse", and with codes that are drawn "..._sampled"; "within_accuracy" and
        "within_accuracy_reverse" with the same modality in both places; "pixels_cross_modal_accuracy" and
        "..._reverse" without a model, where both images have one shape; "coherence": how often the second image made
        of the first has the first one's class, by a classifier of true second images, and "coherence_reverse"}.
    """
    rows, learn = labels.to_compare(data, rows), _to_learn(data, settings.seed)
    names, train, test = list(data.transforms)[:2], _Codes(model, data, learn), _Codes(model, data, rows)
    found, suffixes = {}, ("", "_reverse")
    for (source, target), suffix in zip((names, names[::-1]), suffixes, strict=True):
        of_means = _classifier(train.means(source), learn.label, settings.seed)
        found[f"cross_modal_accuracy{suffix}"] = of_means.score(test.means(target), rows.label)
        found[f"within_accuracy{suffix}"] = of_means.score(test.means(source), rows.label)
        of_draws = _classifier(train.draws(source, settings.seed), learn.label, settings.seed)
        found[f"cross_modal_accuracy{suffix}_sampled"] = of_draws.score(
            test.draws(target, settings.seed + 1), rows.label
        )
        of_pixels = _classifier(_pixels(data, learn, target), learn.label, settings.seed)
        translated = test.translated(source, target)
        found[f"coherence{suffix}"] = of_pixels.score(translated.reshape(len(rows), -1), rows.label)
        if data.transforms[source].image_shape == data.transforms[target].image_shape:
            of_source = _pixels(data, rows, source)
            # Trained on the target and asked about the source is the other direction of this one.
            found[f"pixels_cross_modal_accuracy{'_reverse' if not suffix else ''}"] = of_pixels.score(
                of_source, rows.label
            )
    return {**found, "cross_modal_rows": len(rows), "cross_modal_trained_on": len(learn)}


class _Codes:
    """What a model makes of rows, some at a time."""

    def __init__(self, model, data, rows):
        self.model, self.data, self.rows = model, data, rows

    def means(self, name):
        encode = function_of(self.model, _mean)
        return self._over(name, lambda given, _: encode(given))

    def draws(self, name, seed):
        draw = function_of(self.model, _draw)
        return self._over(name, lambda given, index: draw(given, noise.seed(seed, index)))

    def translated(self, name, to):
        translate = compiled(self.model, Capability.TRANSLATE)
        return self._over(name, lambda given, _: translate(given, to))

    def _over(self, name, function):
        size, found = max(1, at_once(self.model, _BATCH)), []
        for index, start in enumerate(range(0, len(self.rows), size)):
            # The last batch is filled up with its last row, so that a compiled function is traced once.
            part = self.rows.take(np.minimum(np.arange(start, start + size), len(self.rows) - 1))
            found.append(np.asarray(function({name: self.data.observe(part, name=name)}, index)))
        return np.concatenate(found)[: len(self.rows)]


def _mean(model, given):
    return model.posterior(given).mean()


def _draw(model, given, seed):
    return model.posterior(given).sample(seed=seed)


def _to_learn(data, seed):
    """Labelled training rows that have all images."""
    whole = data.train.take(np.flatnonzero(data.train.has(*data.transforms)))
    return subset(labels.labelled(whole), _TRAINED_ON, seed)


def _pixels(data, rows, name):
    return np.asarray(data.observe(rows, name=name), np.float32).reshape(len(rows), -1)


def _classifier(points, label, seed):
    """One hidden layer of 100 units, as scikit-learn has it by default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = MLPClassifier(random_state=seed, early_stopping=len(points) >= 1000)
        return classifier.fit(points, label)


def headlines(metrics, data):
    """Both directions."""
    if metrics.get(ACCURACY.name) is None:
        return []
    reverse, pixels = metrics[REVERSE.name], metrics.get("pixels_cross_modal_accuracy")
    beside = f"; without the model, on pixels, {ACCURACY.shown(pixels)}" if pixels is not None else ""
    meaning = (
        f"A classifier of codes of the first image (`{IMAGE}`) is right so often on codes of the second, "
        f"{nouns.counted(metrics['cross_modal_rows'], data, 'test')}; the other way {REVERSE.shown(reverse)}{beside}. "
        f"Translations have the class of their source in {COHERENCE.shown(metrics[COHERENCE.name])} and "
        f"{COHERENCE.shown(metrics[COHERENCE_REVERSE.name])}."
    )
    return [Headline(ACCURACY.title, ACCURACY.shown(metrics[ACCURACY.name]), meaning, 22)]


MEASUREMENT = Measurement(applies, measure, headlines, metrics=(ACCURACY, REVERSE, COHERENCE, COHERENCE_REVERSE))
