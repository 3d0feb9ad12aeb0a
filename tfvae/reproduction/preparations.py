"""Preparations that the runs of a table need before the first of them begins; a table names its function here."""

import dataclasses
import io

import keras
import numpy as np
from absl import logging

from tfvae.data import load
from tfvae.probability import gibbs
from tfvae.reproduction import runs
from tfvae.storage import atomic

# Steps of a hundred images in which a judge learns, by the budget.
_JUDGE_STEPS = {"tiny": 12, "small": 1200, "full": 6000}
_JUDGE_BATCH = 100
# Sweeps of the chain that finds topics, by the budget: before they are kept, and kept.
_SWEEPS = {"tiny": (5, 5), "small": (200, 100), "full": (2000, 1500)}


def gibbs_topics(table, budget, workdir, data_dir):
    """The table whose rows have topics from a Gibbs sampler on the training documents, found once a workdir.

    Args:
        table: `Table` of rows with one number of topics.
        budget: `tiny`, `small` or `full`; the last has 2,000 sweeps and keeps 1,500 (Gan et al. 2015).
        workdir: of the runs.
        data_dir: of the collection.
    """
    path = workdir / budget / "topics.npy"
    if not path.exists():
        experiment = runs.experiment_of(table.entries[0], budget, data_dir)
        model, data = experiment.model, load.load(experiment.data)
        burn_in, kept = _SWEEPS[budget]
        logging.info("%d topics of %d documents by %d sweeps.", model.latent_dim, len(data.train), burn_in + kept)
        prior = gibbs.Prior(model.network.gamma_shape, model.network.gamma_rate)
        topics = gibbs.topics(data.train.image, model.latent_dim, prior, burn_in, kept)
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = io.BytesIO()
        np.save(stored, topics)
        atomic.write_bytes(path, stored.getvalue())
    given = {"model.network.loadings": str(path)}
    entries = [dataclasses.replace(entry, overrides={**entry.overrides, **given}) for entry in table.entries]
    return dataclasses.replace(table, entries=tuple(entries))


def judge(table, budget, workdir, data_dir):
    """The table with a classifier that judges samples, learned once a workdir from the labels of the training images.

    Args:
        table: `Table` of rows with one set of images.
        budget: `tiny`, `small` or `full`, by which it learns for 12, 1,200 or 6,000 steps.
        workdir: of the runs.
        data_dir: of the images.
    """
    path = workdir / budget / "judge.keras"
    if not path.exists():
        data = load.load(runs.experiment_of(table.entries[0], budget, data_dir).data)
        logging.info("A judge of samples learns from %d labels.", len(data.train))
        pictures = np.asarray(data.train.image, np.float32) / 255.0
        keras.utils.set_random_seed(0)
        classifier = _convolutional(pictures.shape[1:], data.info.num_classes)
        epochs = -(-_JUDGE_STEPS[budget] * _JUDGE_BATCH // len(pictures))
        classifier.fit(pictures, data.train.label, batch_size=_JUDGE_BATCH, epochs=epochs, verbose=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        classifier.save(path)
    return dataclasses.replace(table, evaluation={**table.evaluation, "classifier": str(path)})


def _convolutional(shape, num_classes):
    """Three strided convolutions, the mean over positions, which is its features, and a softmax."""
    layers = [keras.Input(shape)]
    for filters in (32, 64, 128):
        layers += [keras.layers.Conv2D(filters, 3, 2, "same"), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(num_classes, "softmax")]
    classifier = keras.Sequential(layers)
    classifier.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return classifier
