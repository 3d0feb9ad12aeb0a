"""The schema that a manifest implies: what every example must look like, as a file that people curate."""

import hashlib

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfvae import batch as batches
from tfvae.data import entries, records
from tfvae.storage import atomic

# The label distributions of two spans may differ by so much (Jensen–Shannon divergence, bits) before it is an anomaly.
LABEL_DRIFT = 0.1
# What version 0.1 wrote of a pair: the name of the other file.
_FORMER_PAIR = "pair"
_KINDS = {tf.string: schema_pb2.BYTES, tf.int64: schema_pb2.INT, tf.float32: schema_pb2.FLOAT}


def of_manifest(described):
    """`Schema` of the examples that a `tfvae.data.manifest.Manifest` describes."""
    schema = schema_pb2.Schema()
    for image in described.images():
        _add_image(schema, image)
    if described.class_names:
        label = _optional(schema, batches.LABEL, schema_pb2.INT)
        label.value_count.max = 1
        label.int_domain.min, label.int_domain.max = 0, len(described.class_names) - 1
        label.int_domain.is_categorical = True
        label.annotation.tag.extend(described.class_names)  # In the order of their numbers.
        for comparator in (label.drift_comparator, label.skew_comparator):
            comparator.jensen_shannon_divergence.threshold = LABEL_DRIFT
    for entry in entries.kinds().values():
        if entry.name != batches.LABEL and not batches.is_image(entry.name):
            for name, form in entry.spec().items():
                _optional(schema, name, _KINDS[form.dtype])
    for name in (records.FILE_NAME, _FORMER_PAIR):
        _optional(schema, name, schema_pb2.BYTES)
    return schema


def _add_image(schema, image):
    """The features of one image, which records may lack where examples have several."""
    add = _optional if image.optional else _required
    add(schema, image.feature, schema_pb2.BYTES)
    shape = add(schema, image.shape_feature, schema_pb2.INT, len(image.shape))
    shape.int_domain.min, shape.int_domain.max = min(image.shape), max(image.shape)


def write(path, described):
    """Writes the schema of a manifest as text, where no file is yet; returns the path."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, text_format.MessageToString(of_manifest(described)).encode())
    return path


def pinned(path, folder):
    """A copy of a schema under a name that its content gives it; TFX's cache looks at paths, not into files."""
    content = path.read_bytes()
    copy = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.pbtxt"
    if not copy.exists():
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(copy, content)
    return copy


def check(schema, described):
    """Raises ValueError where the classes of a manifest are not those of a schema, in the same order.

    Labels are numbers, so that classes under other names would pass for those that a model knows.
    """
    of_label = next((feature for feature in schema.feature if feature.name == batches.LABEL), None)
    names = tuple(of_label.annotation.tag) if of_label else ()
    if names and described.class_names and names != tuple(described.class_names):
        raise ValueError(
            f"The schema is for the classes {list(names)}, the examples have {list(described.class_names)}. Ingest "
            "with the same classes, or curate the schema (the tags of `label`) and train anew."
        )


def read(path):
    """The `Schema` in a file.

    Raises:
        ValueError: for text that is no schema.
    """
    try:
        return text_format.Parse(path.read_text(), schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no schema as text: {error}.") from error


def anomalies(proto):
    """What an `Anomalies` proto says, {feature: text}."""
    infos = dict(proto.anomaly_info)
    if proto.HasField("dataset_anomaly_info"):
        infos["the examples"] = proto.dataset_anomaly_info
    return {name: info.description.rstrip(".") for name, info in sorted(infos.items())}


def _required(schema, name, kind, num_values=1):
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction, feature.presence.min_count = 1.0, 1
    feature.shape.dim.add(size=num_values)
    return feature


def _optional(schema, name, kind, num_values=1):
    del num_values  # At least one where there is any.
    feature = schema.feature.add(name=name, type=kind)
    feature.value_count.min = 1
    return feature
