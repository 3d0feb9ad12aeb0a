"""Classifiers of images that judge samples: a run of tfvae, any Keras or SavedModel by its path, or InceptionV3."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.run import opening

INCEPTION = "inception_v3"
_BATCH = 200


class Classifier(NamedTuple):
    """A judge of pictures.

    name:  stands beside every score.
    judge: pictures [N, H, W, C] in [0, 1] -> probabilities [N, K], features [N, F].

    """

    name: str
    judge: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

    def judged(self, pictures):
        """Probabilities and features of many pictures, NumPy float64."""
        parts = [self.judge(tf.constant(pictures[i : i + _BATCH])) for i in range(0, len(pictures), _BATCH)]
        return tuple(np.concatenate([np.asarray(part[k], np.float64) for part in parts]) for k in (0, 1))


def named(name):
    """The classifier of that name.

    Args:
        name: a run directory whose model classifies; a `.keras` or `.h5` file, whose features are what its last layer
            reads; a SavedModel with a signature `classify` or `serving_default`, whose features are its last output,
            the log probabilities where there is no other; or `inception_v3`, whose weights keras.applications must have
            stored before: nothing is downloaded.

    Raises:
        ValueError: if there is nothing of that name, or it does not classify.
    """
    path = Path(name).expanduser()
    if name == INCEPTION:
        return _inception()
    if (path / "config.json").is_file():
        return _of_run(path)
    if (path / "saved_model.pb").is_file():
        return _of_saved_model(path)
    if path.suffix in (".keras", ".h5") and path.is_file():
        return _of_keras(keras.models.load_model(path, compile=False), path.name)
    raise ValueError(
        f"The classifier {name!r} is not there: give a run directory, a .keras or .h5 file, the folder of a "
        "SavedModel, or "
        f"{INCEPTION!r}."
    )


def _of_run(path):
    run = opening.open_without_data(path)
    run.model.require(Capability.CLASSIFY)
    top = run.model.can(Capability.ACTIVATIONS)

    @tf.function(reduce_retracing=True)
    def judge(pictures):
        seen = run.data.transform.observe(_fitted(255.0 * pictures, run.data.transform.raw_shape))
        probs = run.model.classify(seen)
        if not top:
            return probs, tf.math.log(probs + 1e-12)
        maps = list(run.model.activations(seen).values())[-1]
        return probs, tf.reduce_mean(maps, axis=[1, 2])

    return Classifier(f"{run.model.title} of {path.resolve().name}", judge)


def _of_saved_model(path):
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures.get("classify", loaded.signatures.get("serving_default"))
    if function is None:
        raise ValueError(
            f"{path} has the signatures {sorted(loaded.signatures)}: `classify` or `serving_default` is needed."
        )
    ((name, spec),) = function.structured_input_signature[1].items()

    def judge(pictures):
        pictures = _fitted(pictures, tuple(spec.shape[1:]))
        outputs = function(**{name: tf.cast(tf.reshape(pictures, [-1, *spec.shape[1:]]), spec.dtype)})
        *_, (_, features) = sorted(outputs.items(), key=lambda item: item[0] == "features")
        probs = outputs.get("probabilities", next(iter(outputs.values())))
        return probs, features if "features" in outputs else tf.math.log(probs + 1e-12)

    judge.keeps = loaded  # A function does not keep the variables of what it was loaded from.
    return Classifier(f"SavedModel {path.resolve().name}", judge)


def _of_keras(model, name, scale=lambda pictures: pictures):
    both = keras.Model(model.inputs, [model.outputs[0], model.layers[-1].input])

    def judge(pictures):
        probs, features = both(scale(_fitted(pictures, tuple(model.input_shape[1:]))), training=False)
        return probs, tf.reshape(features, [tf.shape(features)[0], -1])

    return Classifier(name, judge)


def _inception():
    folder = Path(keras.config.keras_home()) / "models"
    weights = folder / "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
    if not weights.is_file():
        raise ValueError(
            f"{weights} is not there, and nothing is downloaded: store the weights of keras.applications.InceptionV3 "
            "there, "
            "or give the path of another classifier."
        )
    model = keras.applications.InceptionV3(weights=str(weights))
    return _of_keras(model, "InceptionV3", lambda pictures: 2.0 * pictures - 1.0)


def _fitted(pictures, shape):
    """Pictures of the size and channels that a classifier reads; sides that it leaves open stay.

    Raises:
        ValueError: if it reads images of other channels than one or three, or no images.
    """
    if len(shape) == 1 and shape[0] == np.prod(pictures.shape[1:]):
        return tf.reshape(pictures, [-1, shape[0]])
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ValueError(f"A classifier that judges pictures reads images of one or three channels, this one {shape}.")
    if shape[-1] != pictures.shape[-1]:
        pictures = tf.image.grayscale_to_rgb(pictures) if shape[-1] == 3 else tf.image.rgb_to_grayscale(pictures)
    side = tuple(want or have for want, have in zip(shape[:2], pictures.shape[1:3]))
    return pictures if side == tuple(pictures.shape[1:3]) else tf.image.resize(pictures, side)
