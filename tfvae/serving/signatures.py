"""What a model can be asked for, as a server offers it: intensities or encoded images in, pictures and names out."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfvae.batch import IMAGE
from tfvae.models.base import Endpoint, by_row
from tfvae.probability import noise
from tfvae.serving import decoding

IMAGE_BYTES = "image_bytes"
EXAMPLES = "examples"
SEED = "seed"

# Keeps a row's noise in its pixels apart from the noise of its latent variables.
_OBSERVATION = 1

_DEFAULTS = ("classify", "encode")
_CHANNELS = (1, 3)


class _Source(NamedTuple):
    """One way in which images reach a server.

    spec:   of the argument.
    levels: the argument -> float32 [B, *raw_shape], gray levels as they are stored (points as they are).
    """

    spec: tf.TensorSpec
    levels: Callable


def served_endpoints(model, transform, class_names=(), max_pixels=decoding.MAX_PIXELS):
    """Served functions of a model; the first one becomes `serving_default`.

    Every endpoint that takes observations takes intensities in [0, 1] of the stored shape here (points as they are),
    and once more, as `<name>_bytes`, PNG or JPEG strings of any size; `classify_example` takes serialised tf.Examples
    with the image in the feature `image`. Images that come out are pictures in [0, 1]; `<name>_bytes` gives them as
    PNG too, also of `sample`.

    Args:
        model: a `tfvae.models.base.GenerativeModel`.
        transform: the `tfvae.data.transforms.Transform` it was trained with.
        class_names: a name for every class, or empty: then the numbers are the names.
        max_pixels: images with more are refused before they are decoded.

    Returns:
        {name: Endpoint}.

    Raises:
        ValueError: for a number of class names that is not the model's number of classes, or a model without endpoints.
    """
    own = model.endpoints()
    if not own:
        raise ValueError(f"{type(model).__name__} lists no endpoints, so there is nothing to serve.")
    if class_names and len(class_names) != model.num_classes:
        raise ValueError(f"Got {len(class_names)} class names for a model of {model.num_classes} classes.")
    names = tuple(class_names) or tuple(str(k) for k in range(model.num_classes))
    intensities, encoded, example = _sources(transform, max_pixels)
    served = {}
    for name in sorted(own, key=_rank):
        endpoint = _traced_once(own[name])
        takes_image = any(spec.name == IMAGE for spec in endpoint.signature)
        served[name] = _adapt(endpoint, transform, intensities, names)
        if encoded is not None and (takes_image or name == "sample"):
            served[f"{name}_bytes"] = _adapt(endpoint, transform, encoded, names, as_png=True)
        if name == "classify":
            served["classify_example"] = _adapt(endpoint, transform, example, names)
    return served


def _traced_once(endpoint):
    """The same, traced once for all signatures that need it."""
    function = tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)
    return Endpoint(function, endpoint.signature)


def _rank(name):
    return _DEFAULTS.index(name) if name in _DEFAULTS else len(_DEFAULTS)


def _sources(transform, max_pixels):
    """Intensities, encoded images (None where rows are no images) and tf.Examples."""
    shape = transform.raw_shape
    spec = tf.TensorSpec([None, *shape], tf.float32, name=IMAGE)
    image_bytes = tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)
    examples = tf.TensorSpec([None], tf.string, name=EXAMPLES)
    if len(shape) < 3 or shape[-1] not in _CHANNELS:
        features = {IMAGE: tf.io.FixedLenFeature(shape, tf.float32)}
        parse = lambda rows: tf.io.parse_example(rows, features)[IMAGE]  # noqa: E731
        scale = 1.0 if len(shape) < 3 else 255.0
        return (
            _Source(spec, lambda image: image * scale),
            None,
            _Source(examples, lambda rows: parse(rows) * scale),
        )
    decode = _traced_once(Endpoint(lambda rows: decoding.decode_images(rows, shape, max_pixels), [image_bytes]))
    parse = _traced_once(Endpoint(lambda rows: decoding.decode_examples(rows, shape, max_pixels), [examples]))
    return (
        _Source(spec, lambda image: image * 255.0),
        _Source(image_bytes, decode.function),
        _Source(examples, parse.function),
    )


def _adapt(endpoint, transform, source, class_names, as_png=False):
    """The endpoint with its observations taken from `source` and its answers in the terms of people."""
    kinds = [spec.name for spec in endpoint.signature]

    def function(*arguments):
        named = dict(zip(kinds, arguments, strict=True))
        if IMAGE in named:
            named[IMAGE] = _observed(source.levels(named[IMAGE]), transform, named.get(SEED))
        outputs = endpoint.function(*named.values())
        return _answers(outputs, transform, class_names, as_png)

    signature = [source.spec if spec.name == IMAGE else spec for spec in endpoint.signature]
    return Endpoint(function, signature)


def _observed(levels, transform, seeds):
    """Expected observations; with seeds, each row's own draw: a bound on log p(x) holds for x that p can draw."""
    if seeds is None:
        return transform.observe(levels)
    return by_row(lambda row: transform.observe(row[0][None], noise.fold_in(row[1], _OBSERVATION))[0], (levels, seeds))


def _answers(outputs, transform, class_names, as_png):
    """Pictures for observations, float32 for any precision, names beside probabilities."""
    answers = {name: _float32(value) for name, value in outputs.items()}
    if IMAGE in answers:
        answers[IMAGE] = transform.picture(answers[IMAGE])
        if as_png:
            answers[IMAGE_BYTES] = tf.io.encode_png(tf.cast(tf.round(255.0 * answers[IMAGE]), tf.uint8))
    if "probabilities" in answers:
        index = tf.argmax(answers["probabilities"], axis=-1)
        answers["class"] = index
        answers["label"] = tf.gather(tf.constant(class_names), index)
    return answers


def _float32(value):
    value = tf.convert_to_tensor(value)
    return tf.cast(value, tf.float32) if value.dtype.is_floating else value
