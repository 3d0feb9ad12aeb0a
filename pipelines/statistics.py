"""Statistics of shards against a schema and against those of the training data, by TensorFlow Data Validation."""

import tensorflow_data_validation as tfdv

from pipelines import schema
from tfvae.data import manifest


def anomalies(settings, new):
    """What is wrong with new shards, a text for each anomaly.

    Args:
        settings: the pipeline's; its schema and its training rows are what the new ones are compared with.
        new: the folder of the new shards.

    Raises:
        ValueError: for shards that are damaged, or a schema that is none.
    """
    manifest.verify(new, manifest.read(new))
    expected = schema.read(schema.write(settings.schema_file, settings.described()))
    found = tfdv.validate_statistics(_of(new), expected, previous_statistics=_of(settings.span))
    infos = dict(found.anomaly_info)
    if found.HasField("dataset_anomaly_info"):
        infos["the examples"] = found.dataset_anomaly_info
    return [f"{name}: {info.description}" for name, info in sorted(infos.items())]


def _of(folder):
    """Statistics of all examples of a folder of shards."""
    return tfdv.generate_statistics_from_tfrecord(str(folder / "*.tfrecord"))
