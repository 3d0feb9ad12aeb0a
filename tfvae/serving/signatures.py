"""Endpoints as a server offers them: intensities or encoded images in, pictures and names out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import CAPTION, IMAGE
from tfvae.data.transforms import Transform
from tfvae.models.base import Endpoint, GenerativeModel, by_row
from tfvae.probability import noise
from tfvae.serving import image_decoding

IMAGE_BYTES = "image_bytes"
EXAMPLES = "examples"
SEED = "seed"

# Keeps a row's noise in its pixels apart from the noise of its latent variables.
_OBSERVATION = 1

_DEFAULTS = ("classify", "caption", "encode")
# Of what makes pictures without being given one.
_INVENTS = ("sample", "image_from_caption")
_CHANNELS = (1, 3)


class _Source(NamedTuple):
    """One way in which images reach a server.

    spec:   of the argument.
    levels: the argument -> float32 [B, *raw_shape], gray levels as they are stored (points as they are).
    """

    spec: tf.TensorSpec
    levels: Callable


def served_endpoints(
    model: GenerativeModel,
    transform: Transform,
    class_names: Sequence[str] = (),
    max_pixels: int = image_decoding.MAX_PIXELS,
    text: Any = None,
) -> dict[str, Endpoint]:
    """Served functions of a model; the first one becomes `serving_default`.

    Every endpoint that takes observations takes intensities in [0, 1] of the stored shape here (points as they are),
    and once more, as `<name>_bytes`, PNG or JPEG strings of any size; `classify_example` takes serialised tf.Examples
    with the image in the feature `image`. Images that come out are pictures in [0, 1]; `<name>_bytes` gives them as
    PNG too, also of `sample`. Captions come and go as text. `evaluate_example` is for evaluators: serialised
    tf.Examples in, probabilities and a bound out.

    Args:
        model: a `tfvae.models.base.GenerativeModel`.
        transform: the `tfvae.data.transforms.Transform` it was trained with.
        class_names: a name for every class, or empty: then the numbers are the names.
        max_pixels: images with more are refused before they are decoded.
        text: `tfvae.serving.text.Text` for a model of captions.

    Returns:
        {name: Endpoint}.

    Raises:
        ValueError: if the number of class names is not the model's number of classes, or the model has no endpoints.
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
        takes = {spec.name for spec in endpoint.signature}
        if CAPTION in takes and not text.reads_text:
            continue  # A server cannot cut new text into word pieces.
        answers = _Answers(transform, names, text)
        served[name] = _adapt(endpoint, intensities, answers)
        if encoded is not None and (IMAGE in takes or name in _INVENTS):
            served[f"{name}_bytes"] = _adapt(endpoint, encoded, answers._replace(as_png=True))
        if name == "classify":
            served["classify_example"] = _adapt(endpoint, example, answers)
    if "score" in own:
        served["evaluate_example"] = _evaluation(own, example, transform)
    return served


def _evaluation(own: Mapping[str, Endpoint], source: _Source, transform: Transform) -> Endpoint:
    """All that labelled examples are judged by, in one pass: a bound, with a draw of each row's own noise, and, of a
    model that classifies, probabilities. The noise follows from the bytes of the example, so it is the same every time.
    """

    def function(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        levels = source.levels(examples)
        seeds = tf.strings.to_hash_bucket_fast(examples, 1 << 62)
        answer = {"bound": _float32(own["score"].function(_observed(levels, transform, seeds), seeds)["bound"])}
        if "classify" in own:
            answer["probabilities"] = _float32(own["classify"].function(transform.observe(levels))["probabilities"])
        return answer

    return Endpoint(function, [source.spec])


def _traced_once(endpoint: Endpoint) -> Endpoint:
    """The same, traced once for all signatures that need it."""
    function = tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)
    return Endpoint(function, endpoint.signature)


def _rank(name: str) -> int:
    return _DEFAULTS.index(name) if name in _DEFAULTS else len(_DEFAULTS)


def _sources(transform: Transform, max_pixels: int) -> tuple[_Source, _Source | None, _Source]:
    """Intensities, encoded images (None where rows are not images) and tf.Examples."""
    shape = transform.raw_shape
    spec = tf.TensorSpec([None, *shape], tf.float32, name=IMAGE)
    image_bytes = tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)
    examples = tf.TensorSpec([None], tf.string, name=EXAMPLES)
    if len(shape) < 3 or shape[-1] not in _CHANNELS:
        features = {IMAGE: tf.io.FixedLenFeature(shape, tf.float32)}
        scale = 1.0 if len(shape) < 3 else 255.0
        return (
            _Source(spec, lambda image: image * scale),
            None,
            _Source(examples, lambda rows: tf.io.parse_example(rows, features)[IMAGE] * scale),
        )
    decode = _traced_once(Endpoint(lambda rows: image_decoding.decode_images(rows, shape, max_pixels), [image_bytes]))
    parse = _traced_once(Endpoint(lambda rows: image_decoding.decode_examples(rows, shape, max_pixels), [examples]))
    return (
        _Source(spec, lambda image: image * 255.0),
        _Source(image_bytes, decode.function),
        _Source(examples, parse.function),
    )


def _adapt(endpoint: Endpoint, source: _Source, answers: "_Answers") -> Endpoint:
    """The endpoint with its observations taken from `source`, its captions as text, and its answers as people read."""
    kinds = [spec.name for spec in endpoint.signature]

    def function(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        named = dict(zip(kinds, arguments, strict=True))
        if IMAGE in named:
            named[IMAGE] = _observed(source.levels(named[IMAGE]), answers.transform, named.get(SEED))
        if CAPTION in named:
            named[CAPTION] = answers.text.ids(named[CAPTION])
        return answers(endpoint.function(*named.values()))

    specs = {IMAGE: source.spec, CAPTION: tf.TensorSpec([None], tf.string, name=CAPTION)}
    return Endpoint(function, [specs.get(spec.name, spec) for spec in endpoint.signature])


def _observed(levels: tf.Tensor, transform: Transform, seeds: tf.Tensor | None) -> tf.Tensor:
    """Expected observations; with seeds, each row's own draw: a bound on log p(x) holds for x that p can draw."""
    if seeds is None:
        return transform.observe(levels)
    return by_row(lambda row: transform.observe(row[0][None], noise.fold_in(row[1], _OBSERVATION))[0], (levels, seeds))


class _Answers(NamedTuple):
    """Pictures for observations, float32 for any precision, names beside probabilities, text for captions."""

    transform: Transform
    class_names: tuple[str, ...]
    text: Any = None  # `Text`, where the model has captions.
    as_png: bool = False

    def __call__(self, outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        answers = {name: _float32(value) for name, value in outputs.items()}
        if IMAGE in answers:
            answers[IMAGE] = self.transform.picture(answers[IMAGE])
            if self.as_png:
                answers[IMAGE_BYTES] = tf.io.encode_png(tf.cast(tf.round(255.0 * answers[IMAGE]), tf.uint8))
        if "probabilities" in answers:
            index = tf.argmax(answers["probabilities"], axis=-1)
            answers["class"] = index
            answers["label"] = tf.gather(tf.constant(self.class_names), index)
        if CAPTION in answers:
            answers[CAPTION] = self.text.texts(answers[CAPTION])
        return answers


def _float32(value: tf.Tensor) -> tf.Tensor:
    value = tf.convert_to_tensor(value)
    return tf.cast(value, tf.float32) if value.dtype.is_floating else value
