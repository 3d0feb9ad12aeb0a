"""Endpoints as a server offers them: intensities or encoded images in, pictures and names out."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfvae.batch import IMAGE, is_image
from tfvae.capabilities import Endpoint
from tfvae.data.entry import Entry, Served
from tfvae.data.transforms import Transform
from tfvae.evaluation.calibration import Calibration
from tfvae.models.base import GenerativeModel, by_row
from tfvae.probability import noise
from tfvae.serving import checks, image_decoding

ENCODED = "_bytes"  # Behind the name of an image, and of an endpoint that takes it so.
IMAGE_BYTES = f"{IMAGE}{ENCODED}"
EXAMPLES = "examples"
SEED = "seed"
CHECKED = "_checked"  # Behind the name of an endpoint that takes encoded images and says of each what is wrong.
STATUS = "status"

UNCALIBRATED = Calibration()

# Keeps a row's noise in its pixels apart from the noise of its latent variables.
_OBSERVATION = 1

_DEFAULTS = ("classify", "caption", "tag", "cluster", "encode")
# Of what makes pictures without being given one.
_INVENTS = ("sample", "image_from_caption", "render")
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
    transforms: Mapping[str, Transform],
    class_names: Sequence[str] = (),
    max_pixels: int = image_decoding.MAX_PIXELS,
    forms: Mapping[str, Served] | None = None,
    calibration: Calibration = UNCALIBRATED,
) -> dict[str, Endpoint]:
    """Served functions of a model; the first one becomes `serving_default`.

    Every endpoint that takes observations takes intensities in [0, 1] of the stored shape here (points as they are),
    and once more, as `<name>_bytes`, PNG or JPEG strings of any size; `classify_example` takes serialised tf.Examples
    with the image in the feature `image`. Images that come out are pictures in [0, 1]; `<name>_bytes` gives them as
    PNG too, also of `sample`. Images of further modalities, such as `image_b`, come and go in the same ways; captions
    as text. `evaluate_example` is for evaluators: serialised tf.Examples in, probabilities and a bound or energy out.

    A request of another rank or shape, and a row that is no image, fail with an error that says which. What answers
    about one image, `classify`, `caption`, `tag`, `cluster` and `encode`, is offered as `<name>_bytes_checked` too,
    where a bad row fails no other: the answer `status` is empty where a row is fine, and else says what is wrong.

    Args:
        model: a `tfvae.models.base.GenerativeModel`.
        transforms: modality -> the `tfvae.data.transforms.Transform` it was trained with.
        class_names: a name for every class, or empty: then the numbers are the names.
        max_pixels: images with more are refused before they are decoded.
        forms: entry -> `tfvae.data.entry.Served`, what stands for it in the graph; of others, what the model takes.
        calibration: what validation rows say of the model; with it `classify` also gives `calibrated_probabilities`
            and `p_value`, and `novelty` is served.

    Returns:
        {name: Endpoint}.

    Raises:
        ValueError: if the number of class names is not the model's number of classes, or the model has no endpoints.
    """
    own = {name: _never_empty(endpoint) for name, endpoint in calibration.endpoints(model).items()}
    if not own:
        raise ValueError(f"{type(model).__name__} lists no endpoints, so there is nothing to serve.")
    if class_names and len(class_names) != model.num_classes:
        raise ValueError(f"Got {len(class_names)} class names for a model of {model.num_classes} classes.")
    names = tuple(class_names) or tuple(str(k) for k in range(model.num_classes))
    ways, forms = {name: _ways(name, transform, max_pixels) for name, transform in transforms.items()}, forms or {}
    served = {}
    for name in sorted(own, key=_rank):
        endpoint = _traced_once(own[name])
        takes = {spec.name for spec in endpoint.signature}
        if not all(forms[entry].is_read for entry in takes & set(forms)):
            continue  # A server cannot cut new text into word pieces.
        answers = _Answers(transforms, names, forms)
        served[name] = _adapt(endpoint, {image: way.intensities for image, way in ways.items()}, answers)
        encoded = {image: way.encoded for image, way in ways.items() if way.encoded}
        if len(encoded) == len(ways) and (takes & set(ways) or name in _INVENTS):
            served[f"{name}{ENCODED}"] = _adapt(endpoint, encoded, answers._replace(as_png=True))
        one_by_one = ways[IMAGE].one_by_one
        if name in _DEFAULTS and takes == {IMAGE} and one_by_one:
            served[f"{name}{ENCODED}{CHECKED}"] = _by_status(endpoint, one_by_one, transforms[IMAGE], answers)
        if name == "classify":
            served["classify_example"] = _adapt(endpoint, {IMAGE: ways[IMAGE].example}, answers)
    if "score" in own and {spec.name for spec in own["score"].signature} == {IMAGE, SEED}:
        served["evaluate_example"] = _evaluation(own, ways[IMAGE].example, transforms[IMAGE])
    return {name: _checked(endpoint) for name, endpoint in served.items()}


def _checked(endpoint: Endpoint) -> Endpoint:
    """The same, which first looks whether its arguments are what its signature says."""
    return Endpoint(
        lambda *arguments: endpoint.function(*checks.arguments(arguments, endpoint.signature)), endpoint.signature
    )


def forms_of(entries: Mapping[str, Entry]) -> dict[str, Served]:
    """Entry -> what stands for it in a served graph; images have their transforms.

    Args:
        entries: name -> `tfvae.data.entry.Entry`, fitted.
    """
    return {name: entry.served() for name, entry in entries.items() if not is_image(name)}


def _evaluation(own: Mapping[str, Endpoint], source: _Source, transform: Transform) -> Endpoint:
    """All that labelled examples are judged by, in one pass: a bound, with a draw of each row's own noise, or the
    energy of a model that has none, and, of a model that classifies, probabilities. The noise follows from the bytes of
    the example, so it is the same every time.
    """

    def function(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        levels = source.levels(examples)
        seeds = tf.strings.to_hash_bucket_fast(examples, 1 << 62)
        scored = own["score"].function(_observed(levels, transform, seeds), seeds)
        answer = {name: _float32(value) for name, value in scored.items()}
        if "classify" in own:
            answer["probabilities"] = _float32(own["classify"].function(transform.observe(levels))["probabilities"])
        return answer

    return Endpoint(function, [source.spec])


def _never_empty(endpoint: Endpoint) -> Endpoint:
    """The same, which gives a model one blank row where there is none, and takes its answer away again.

    oneDNN's convolutions of an empty batch answer with the shape of their argument, or end the process.
    """

    def function(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        num = tf.shape(arguments[0])[0]
        blanks = tf.cast(num == 0, tf.int32)
        filled = [tf.concat([of, tf.zeros([blanks, *of.shape[1:]], of.dtype)], axis=0) for of in arguments]
        return {name: value[:num] for name, value in endpoint.function(*filled).items()}

    return Endpoint(function, endpoint.signature)


def _traced_once(endpoint: Endpoint) -> Endpoint:
    """The same, traced once for all signatures that need it."""
    return Endpoint(_graph(endpoint.function, endpoint.signature), endpoint.signature)


def _graph(function: Callable, signature: list[tf.TensorSpec]) -> Callable:
    return tf.function(function, input_signature=signature, autograph=False)


def _rank(name: str) -> int:
    return _DEFAULTS.index(name) if name in _DEFAULTS else len(_DEFAULTS)


class _Ways(NamedTuple):
    """How one image may reach a server; `encoded` and `one_by_one` are None for rows that are not images.

    The levels of `one_by_one` come with what is wrong with each row.
    """

    intensities: _Source
    encoded: _Source | None
    example: _Source
    one_by_one: _Source | None = None


def _ways(name: str, transform: Transform, max_pixels: int) -> _Ways:
    """Intensities, encoded images and tf.Examples."""
    shape = transform.raw_shape
    spec = tf.TensorSpec([None, *shape], tf.float32, name=name)
    encoded = tf.TensorSpec([None], tf.string, name=f"{name}{ENCODED}")
    examples = tf.TensorSpec([None], tf.string, name=EXAMPLES)
    levels = lambda image: 255.0 * checks.intensities(image, name)  # noqa: E731
    if len(shape) < 3 or shape[-1] not in _CHANNELS:
        features = {name: tf.io.FixedLenFeature(shape, tf.float32)}
        levels = (lambda points: checks.finite(points, name)) if len(shape) < 3 else levels
        return _Ways(
            _Source(spec, levels),
            None,
            _Source(examples, lambda rows: levels(tf.io.parse_example(rows, features)[name])),
        )
    decode = _traced_once(Endpoint(lambda rows: image_decoding.decode_images(rows, shape, max_pixels), [encoded]))
    height, width, channels = shape
    each = _graph(lambda rows: image_decoding.decode_each(rows, (height, width, channels), max_pixels), [encoded])
    parse = _traced_once(Endpoint(lambda rows: image_decoding.decode_examples(rows, shape, max_pixels), [examples]))
    return _Ways(
        _Source(spec, levels),
        _Source(encoded, decode.function),
        _Source(examples, parse.function),
        _Source(encoded, each),
    )


def _adapt(endpoint: Endpoint, sources: Mapping[str, _Source], answers: "_Answers") -> Endpoint:
    """The endpoint with its observations taken from `sources`, other entries in their served forms, and its answers as
    people read them.
    """
    kinds = [spec.name for spec in endpoint.signature]

    def function(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(kinds, arguments, strict=True))
        named = {
            name: answers.forms[name].taken(value) if name in answers.forms else value for name, value in given.items()
        }
        for name in sources.keys() & named.keys():
            named[name] = _observed(sources[name].levels(given[name]), answers.transforms[name], named.get(SEED))
        return answers(endpoint.function(*named.values()))

    def served(spec: tf.TensorSpec) -> tf.TensorSpec:
        if spec.name in sources:
            return sources[spec.name].spec
        return answers.forms[spec.name].spec(spec) if spec.name in answers.forms else spec

    return Endpoint(function, [served(spec) for spec in endpoint.signature])


def _by_status(endpoint: Endpoint, source: _Source, transform: Transform, answers: "_Answers") -> Endpoint:
    """The endpoint asked about encoded images, each of which is answered by itself."""

    def function(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        levels, status = source.levels(image_bytes)
        given = answers(endpoint.function(transform.observe(levels)))
        return {name: _where(status == "", value) for name, value in given.items()} | {STATUS: status}

    return Endpoint(function, [source.spec])


def _where(right: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """The value of rows that are right; NaN, -1 or nothing of the others."""
    missing = {tf.string: "", tf.float32: float("nan")}.get(value.dtype, -1)
    right = tf.reshape(right, [-1, *[1] * (value.shape.rank - 1)])
    return tf.where(right, value, tf.cast(missing, value.dtype) if value.dtype != tf.string else missing)


def _observed(levels: tf.Tensor, transform: Transform, seeds: tf.Tensor | None) -> tf.Tensor:
    """Expected observations; with seeds, each row's own draw: a bound on log p(x) holds for x that p can draw."""
    if seeds is None:
        return transform.observe(levels)
    return by_row(lambda row: transform.observe(row[0][None], noise.fold_in(row[1], _OBSERVATION))[0], (levels, seeds))


class _Answers(NamedTuple):
    """Pictures for observations, float32 for any precision, names beside probabilities, other entries as served."""

    transforms: Mapping[str, Transform]
    class_names: tuple[str, ...]
    forms: Mapping[str, Served]
    as_png: bool = False

    def __call__(self, outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        answers = {name: _float32(value) for name, value in outputs.items()}
        for name in self.transforms.keys() & outputs.keys():
            answers[name] = self.transforms[name].picture(answers[name])
            if self.as_png:
                answers[f"{name}{ENCODED}"] = tf.io.encode_png(tf.cast(tf.round(255.0 * answers[name]), tf.uint8))
        if "probabilities" in answers:
            index = tf.argmax(answers["probabilities"], axis=-1)
            answers["class"] = index
            answers["label"] = tf.gather(tf.constant(self.class_names), index)
        for name in self.forms.keys() & outputs.keys():
            answers |= self.forms[name].answers(name, answers[name])
        return answers


def _float32(value: tf.Tensor) -> tf.Tensor:
    value = tf.convert_to_tensor(value)
    return tf.cast(value, tf.float32) if value.dtype.is_floating else value
