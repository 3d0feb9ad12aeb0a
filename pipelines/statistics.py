"""Statistics of shards against a schema and against those of the training data, by TensorFlow Data Validation."""

import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import schema
from tfvae.data import manifest


def anomalies(settings, reference, new):
    """The anomalies of new shards, a text for each.

    Args:
        settings: the pipeline's, for its schema.
        reference: the folder of the shards that the new ones are compared with.
        new: the folder of the new shards.

    Raises:
        ValueError: if the shards are damaged, or the schema cannot be read.
    """
    manifest.verify(new, manifest.read(new))
    expected = schema.read(schema.write(settings.schema_file, settings.described()))
    statistics = (_of(folder, settings.beam_args) for folder in (new, reference))
    found = tfdv.validate_statistics(next(statistics), expected, previous_statistics=next(statistics))
    return [f"{name}: {text}" for name, text in schema.anomalies(found).items()]


def _of(folder, beam_args):
    """Statistics of all examples of a folder of shards."""
    options = PipelineOptions(list(beam_args))
    return tfdv.generate_statistics_from_tfrecord(str(folder / "*.tfrecord"), pipeline_options=options)
