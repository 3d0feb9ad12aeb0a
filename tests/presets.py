"""Every preset at its tiny size, on data that any machine has."""

import dataclasses
import functools
import importlib
import pathlib

import numpy as np
import tensorflow as tf

from tfvae.batch import DataInfo, is_image
from tfvae.batch import streams as streams_of
from tfvae.data import load

CONFIGS = pathlib.Path(__file__).parent.parent / "tfvae" / "configs"
PRESETS = sorted(path.stem for path in CONFIGS.glob("*.py") if path.stem != "__init__")


def tiny(preset):
    """The `Experiment` of the preset's tiny size."""
    return importlib.import_module(f"tfvae.configs.{preset}").get_config("tiny")


def one_of_each_graph():
    """A preset of every graph: others differ from it in their data and in positive numbers, which tiny sizes level."""
    of_graph = {}
    for preset in PRESETS:
        model = tiny(preset).model
        of_graph.setdefault(str((type(model), _without_sizes(dataclasses.asdict(model)))), preset)
    return list(of_graph.values())


def _without_sizes(value):
    if isinstance(value, dict):
        return {name: _without_sizes(of) for name, of in value.items()}
    if isinstance(value, tuple | list):
        return [_without_sizes(of) for of in value][:1]
    return value > 0 if isinstance(value, int | float) else value


@functools.cache
def model_and_batch(preset):
    """The preset's tiny model and one batch with the streams, shapes and range of its data, drawn at random."""
    experiment = tiny(preset)
    config, rng = experiment.data, np.random.default_rng(0)
    image_shape = (64,) if config.transform.flatten else (8, 8, 1)
    shape = {"nothing": (0,), "moons": (2,), "toy": (2,), "gaussians": (2,)}.get(config.source, image_shape)
    words = tuple(f"word{i}" for i in range(12)) if config.captioned_batch else ()
    # Further images, of the streams of their names, are narrower.
    further = {
        name: (24,) if config.transform_of(name).flatten else (8, 3, 1) for name in config.batches if is_image(name)
    }
    names = {"tags": ("red", "small", "round")} if config.batches.get("tagged") else {}
    info = DataInfo(shape, 0 if config.source == "nothing" else 10, 1000, 100, words, 5 if words else 0, further, names)
    binary = config.transform.noise == "binarise"

    def image(num, shape=shape):
        draw = rng.random([num, *shape])
        return (draw > 0.5 if binary else np.round(draw * 255) / 255).astype(np.float32)

    streams = {}
    if config.labelled_batch:
        streams["labelled"] = {"image": image(6), "label": rng.integers(0, 10, 6)}
    if config.captioned_batch:
        ids = np.pad(rng.integers(2, 12, [4, 3]), [(0, 0), (0, 2)]).astype(np.int32)
        streams["captioned"] = {"image": image(4), "caption": ids}
    for stream, entries in streams_of(tuple(info.modalities)).items():
        if config.batches.get(stream):
            streams[stream] = {name: image(4, info.modalities[name]) for name in entries if is_image(name)}
    if config.batches.get("tagged"):
        streams["tagged"]["tags"] = np.eye(4, 3, dtype=np.float32)
    if config.unlabelled_batch:
        streams["unlabelled"] = {"image": image(5)}
    if "row" in config.entries:
        for stream in streams.values():
            stream["row"] = rng.integers(0, info.num_train, len(stream["image"]))
    return experiment.model.build(info, seed=0).prepare(streams), streams


@functools.cache
def traced_endpoints(preset):
    """name -> the endpoint of the preset's tiny model as a traced function."""
    return {
        name: tf.function(endpoint.function, input_signature=endpoint.signature)
        for name, endpoint in model_and_batch(preset)[0].endpoints().items()
    }


def embedded(preset):
    """The preset's tiny experiment with scikit-learn's digits in the place of images that only some machines have."""
    experiment = tiny(preset)
    if experiment.data.modalities:  # Folders of photographs: other images that come in pairs.
        return embedded("multimodal_coloured")
    if experiment.data.source in ("halves", "coloured"):
        experiment.data.name, experiment.data.num_paired = "", 100
    if experiment.data.source in ("tfds", "folder", "shards", "bag_of_words", "arrays"):
        experiment.data.source, experiment.data.name, experiment.data.image_size = "digits", "", 0
        experiment.data.labels_per_class, experiment.data.num_validation, experiment.data.entries = 10, 100, ()
        experiment.data.transform.translate = min(experiment.data.transform.translate, 2)  # Of eight pixels.
        experiment.data.labelled_batch = min(experiment.data.labelled_batch, 100)
        experiment.data.unlabelled_batch = min(experiment.data.unlabelled_batch, 100)
        if experiment.data.batches.get("tagged"):
            experiment.data.source, experiment.data.tags.source = "tagged_digits", "column"
        if experiment.data.captioned_batch:  # The digits have no captions: the image model alone.
            experiment.data.captioned_batch, experiment.data.unlabelled_batch = 0, 50
            experiment.model.caption_weight, experiment.model.caption_encoder = 0.0, False
            experiment.training.monitor = "bound"
    return experiment, load.load(experiment.data)
