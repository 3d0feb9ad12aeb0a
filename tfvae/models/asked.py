"""What people hand to a model by itself: said clearly where it cannot be answered, before the mathematics begins.

Keras and TensorFlow would say it in words of their own, and a convolution of images without their channel ends the
process.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.probability import noise

_SEED = "seed"
# Whose seed is a whole number: chains of NumPy's draw them.
_BY_NUMBER = {Capability.POSTERIOR}


def answering(name: str, answer: Callable, model: Any = None) -> Callable:
    """An answer that checks its `image`, and takes whole numbers as seeds.

    Args:
        name: under which it is called.
        answer: a method of a model, or a function.
        model: whose observations a function takes; a method is given it.
    """
    names = list(inspect.signature(answer).parameters)

    @functools.wraps(getattr(answer, "func", answer))
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args)) | kwargs
        changed = {}
        if IMAGE in given:
            changed[IMAGE] = _observations(name, given[IMAGE], (args[0] if model is None else model).image_shape)
        if name not in _BY_NUMBER and isinstance(given.get(_SEED), int | np.integer):
            changed[_SEED] = noise.seed(int(given[_SEED]))
        named = (changed.pop(of, value) for of, value in zip(names, args))
        return answer(*named, *args[len(names) :], **kwargs | changed)

    return checked


def _observations(name: str, image: Any, shape: tuple[int, ...]) -> Any:
    """The observations, floats [..., B, *shape]; lists of them as an array.

    Raises:
        ValueError: for anything else.
    """
    if not hasattr(image, "shape") or not hasattr(image, "dtype"):
        image = np.asarray(image)
        image = image.astype(np.float32) if image.dtype.kind == "f" else image
    found = tf.TensorShape(image.shape)
    if found.rank is None:
        return image
    fits = found.rank > len(shape) and found[found.rank - len(shape) :].is_compatible_with(shape)
    dtype = str(getattr(image.dtype, "name", image.dtype))
    if not fits or "float" not in dtype:
        raise ValueError(
            f"`model.{name}` takes observations, floats [B, {', '.join(map(str, shape))}] as `run.data.observe(rows)` "
            f"gives them, got {dtype} {found.as_list()}. Images and files are for the run: "
            f"`run.{name}(images)`, where it has that."
        )
    return image


class TakesBatches(keras.Model):
    """Keras' own calls on a model whose batches are dicts of streams, and which is made by its experiment."""

    def __call__(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("is called", batch, "ask a run: run.classify(images), run.encode(images)")
        return super().__call__(batch, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("predicts", x, "ask a run: run.classify(images), run.encode(images)")
        return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        _refuse_arrays("predicts", x, "ask a run: run.classify(images), run.encode(images)")
        return super().predict_on_batch(x)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("is evaluated", x, "measure a run: tfvae-evaluate --workdir=...")
        return super().evaluate(x, *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("is evaluated", x, "measure a run: tfvae-evaluate --workdir=...")
        return super().test_on_batch(x, *args, **kwargs)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("is trained", x, "train an experiment: tfvae.train(experiment, workdir)")
        return super().fit(x, *args, **kwargs)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_arrays("is trained", x, "train an experiment: tfvae.train(experiment, workdir)")
        return super().train_on_batch(x, *args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "A model is made by its experiment, which a .keras file cannot hold: the run directory is what is kept, "
            "`tfvae.open(workdir)`; for a server, `tfvae-export --workdir=... --output=savedmodels/<name>`."
        )

    def export(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "A model is exported with the transform of its images, through a gate: `tfvae-export --workdir=... "
            "--output=savedmodels/<name>`, or `tfvae.serving.export.export(run.model, run.data, output)`."
        )


def _refuse_arrays(what: str, given: Any, advice: str) -> None:
    if given is None or isinstance(given, str | list | tuple) or (
        hasattr(given, "shape") and not isinstance(given, Mapping)
    ):  # fmt: skip
        raise ValueError(
            f"A model {what} with batches of streams, such as {{'unlabelled': {{'image': ...}}}}, got "
            f"{type(given).__name__}. For images {advice}."
        )
