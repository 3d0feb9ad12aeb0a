"""Requests to a served model: what the gate asks, what the server is warmed up with, and the records of both."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfvae.batch import IMAGE, is_image
from tfvae.data import records
from tfvae.serving import signatures
from tfvae.storage import tfrecord_format

WARMUP_FILE = "tf_serving_warmup_requests"
ANSWERS_FILE = "tfvae_answers"
MAX_WARMUP_RECORDS = 1000  # TensorFlow Serving refuses to load a version with more.


class Request(NamedTuple):
    """One call of a signature: named NumPy arrays, strings as arrays of `bytes`."""

    signature: str
    inputs: dict[str, np.ndarray]


class WarmupError(ValueError):
    """A file of warm-up requests that a server would refuse, and its version with it."""


def example_requests(served, asked):
    """One request for every signature.

    Args:
        served: {name: Endpoint} of `signatures.served_endpoints`.
        asked: entry -> what is asked about, B of each; images [B, *raw_shape] as stored: gray levels, or points.

    Raises:
        ValueError: for an argument of an endpoint that is neither an entry of the data nor a seed.
    """
    return [
        Request(name, {spec.name: _argument(spec, asked) for spec in endpoint.signature})
        for name, endpoint in served.items()
    ]


def _argument(spec, asked):
    image = spec.name.removesuffix(signatures.ENCODED)
    if spec.name in asked:
        return _intensities(asked[spec.name]) if is_image(spec.name) else asked[spec.name]
    if image in asked:
        return _strings(encode(asked[image]))
    if spec.name == signatures.EXAMPLES:
        rows = asked[IMAGE]
        return _strings(_examples(rows) if rows.dtype == np.uint8 else [_example(row) for row in rows])
    if spec.name == signatures.SEED:
        return np.arange(1, len(asked[IMAGE]) + 1, dtype=np.int64)
    raise ValueError(
        f"No example of a served argument named {spec.name!r} is known. Endpoints take entries of the data, here "
        f"{sorted(asked)}, and {signatures.SEED!r}: name the argument like one of them."
    )


def _intensities(rows):
    return (rows / np.float32(255.0) if rows.dtype == np.uint8 else rows).astype(np.float32)


def encode(rows):
    """Images as files, the last one as JPEG, the others as PNG: uint8 [B, H, W, C] -> list of bytes."""
    encoders = [tf.io.encode_png] * (len(rows) - 1) + [tf.io.encode_jpeg]
    return [encoder(row).numpy() for encoder, row in zip(encoders, rows, strict=True)]


def _examples(rows):
    """Images as tf.Examples, the last one as shards hold it, the others as PNG."""
    return [_example(tf.io.encode_png(row).numpy()) for row in rows[:-1]] + [records.serialise(rows[-1])]


def _example(image):
    if isinstance(image, bytes):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    else:
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(image)))
    return tf.train.Example(features=tf.train.Features(feature={IMAGE: feature})).SerializeToString()


def _strings(values):
    return np.array(values, object)


def to_message(request, model_name):
    """A `PredictRequest` of TensorFlow Serving."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model_name, request.signature
    for name, array in request.inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return message


def write_warmup(directory, requests, model_name):
    """Writes `assets.extra/tf_serving_warmup_requests` of a SavedModel; returns its path."""
    return _write(directory, WARMUP_FILE, [(request, {}) for request in requests], model_name)


def write_answers(directory, requests, answers, model_name):
    """Writes `assets.extra/tfvae_answers`: requests, and what the model answered before it was exported.

    With it a version that was copied or lay for long can be checked again. PredictionLogs, as those of a warm-up.
    """
    return _write(directory, ANSWERS_FILE, zip(requests, answers, strict=True), model_name)


def read_warmup(path):
    """The requests of a warm-up file, checksums verified.

    Raises:
        WarmupError: for a missing or damaged file, no record, more than 1,000, or a record without a predict request.
    """
    return [request for request, _ in _read(path, "warm-up requests")]


def read_answers(directory):
    """The requests and answers of a version: [`Request`], [{output name: array}].

    Raises:
        WarmupError: where they are missing or damaged.
    """
    logged = _read(directory / "assets.extra" / ANSWERS_FILE, "answers")
    return [request for request, _ in logged], [answer for _, answer in logged]


def _write(directory, name, logged, model_name):
    path = directory / "assets.extra" / name
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request, answer in logged:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(to_message(request, model_name))
            for output, value in answer.items():
                log.predict_log.response.outputs[output].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
    return path


def _read(path, what):
    if not path.is_file():
        raise WarmupError(f"There is no file of {what} {path.name}.")
    try:
        tfrecord_format.count(path)
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(path)).take(MAX_WARMUP_RECORDS + 1)]
    except (tf.errors.DataLossError, ValueError) as error:
        raise WarmupError(f"The {what} cannot be read: {getattr(error, 'message', error)}.") from error
    if not 0 < len(records) <= MAX_WARMUP_RECORDS:
        count = "no records" if not records else f"more than {MAX_WARMUP_RECORDS}"
        raise WarmupError(f"A file of {what} holds 1 to {MAX_WARMUP_RECORDS} records, this one holds {count}.")
    return [_parsed(index, record, what) for index, record in enumerate(records)]


def _parsed(index, record, what):
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record).predict_log
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in log.request.inputs.items()}
        outputs = {name: tf.make_ndarray(tensor) for name, tensor in log.response.outputs.items()}
    except (ValueError, TypeError, DecodeError) as error:
        raise WarmupError(f"Of the {what}, record {index} is no readable PredictionLog: {error}.") from error
    if not inputs:
        raise WarmupError(f"Of the {what}, record {index} holds no predict request.")
    return Request(log.request.model_spec.signature_name or "serving_default", inputs), outputs
