"""The graph: from shards to a pushed version, the same for every preset and every runner.

ImportExampleGen -> StatisticsGen -> ImportSchemaGen -> ExampleValidator -> StopAtAnomalies -> Transform -> [Tuner]
-> Trainer -> Evaluator (against the last blessed model) and ExportGate -> WholePusher -> StopUnlessPushed
"""

import time

from tfx import components as tfx
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import metadata, pipeline
from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from pipelines import components, evaluation, schema, trainer
from tfvae.batch import LABELLED


def make(settings, root=""):
    """The pipeline of `pipelines.settings.Settings`.

    Args:
        settings: checked ones; the manifest is read, and the implied schema written where none is.
        root: where artifacts go; a folder in `settings.workdir` by default.

    Returns:
        `tfx.orchestration.pipeline.Pipeline`.
    """
    described = settings.described()
    examples, transform, checked = _data(settings, described)
    tuner, trained = _training(settings, described, transform)
    judged = _judgement(settings, described, examples, trained)
    return pipeline.Pipeline(
        pipeline_name=settings.name,
        pipeline_root=root or str(settings.root.resolve()),
        components=[examples, *checked, transform, *tuner, trained, *judged],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(settings.metadata.resolve())),
        beam_pipeline_args=list(settings.beam_args),
    )


def _data(settings, described):
    """(ExampleGen, Transform, all that stands between them): nothing is transformed where there are anomalies."""
    examples = _examples(settings, described)
    statistics = tfx.StatisticsGen(examples=examples.outputs["examples"])
    inferred = tfx.SchemaGen(statistics=statistics.outputs["statistics"])
    schema_file = schema.pinned(schema.write(settings.schema_file, described), settings.workdir / "schema" / "used")
    curated = ImportSchemaGen(schema_file=str(schema_file.resolve()))
    validator = tfx.ExampleValidator(statistics=statistics.outputs["statistics"], schema=curated.outputs["schema"])
    stop = components.StopAtAnomalies(anomalies=validator.outputs["anomalies"])
    learned = _splits(described, "train", "validation")  # What a run reads: all but the test's.
    transform = tfx.Transform(
        examples=examples.outputs["examples"],
        schema=curated.outputs["schema"],
        preprocessing_fn="pipelines.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=_splits(described, "train"), transform=learned),
        custom_config={"modalities": {name: list(shape) for name, shape in described.modalities.items()}},
    )
    transform.add_upstream_node(stop)
    return examples, transform, [statistics, inferred, curated, validator, stop]


def _training(settings, described, transform):
    """([Tuner] where one is asked for, Trainer)."""
    told = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": trainer_pb2.TrainArgs(splits=_splits(described, "train")),
        "eval_args": trainer_pb2.EvalArgs(splits=_splits(described, "validation")),
        "custom_config": trainer.config(settings),
    }
    if not settings.tuned:
        return [], tfx.Trainer(run_fn="pipelines.trainer.run_fn", **told)
    tuner = tfx.Tuner(tuner_fn="pipelines.trainer.tuner_fn", **told)
    best = tuner.outputs["best_hyperparameters"]
    return [tuner], tfx.Trainer(run_fn="pipelines.trainer.run_fn", hyperparameters=best, **told)


def _judgement(settings, described, examples, trained):
    """Evaluator, beside the last model that it blessed, the gate of exports, and Pusher, which asks both."""
    blessed = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("latest_blessed")
    evaluator = tfx.Evaluator(
        examples=examples.outputs["examples"],
        example_splits=_judged(described),
        model=trained.outputs["model"],
        baseline_model=blessed.outputs["model"],
        eval_config=evaluation.eval_config(
            settings.thresholds, classifies=settings.classifies(described), bounds=settings.bounds
        ),
    )
    gate = components.ExportGate(model=trained.outputs["model"], name=settings.name)
    watched = pusher_pb2.PushDestination.Filesystem(base_directory=str(settings.output.resolve()))
    pusher = components.WholePusher(
        model=trained.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=gate.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(filesystem=watched),
        # The time keeps the node from being cached: a version may be gone since, and pushing twice does no harm.
        custom_config={components.BASE_PATH: settings.base_path, "asked": time.time_ns()},
    )
    return [blessed, evaluator, gate, pusher, components.StopUnlessPushed(pushed=pusher.outputs["pushed_model"])]


def _examples(settings, described):
    """ImportExampleGen over the shards, a split for each part such as `train_labelled`."""
    span = "span-{SPAN}/" if settings.span != settings.shards else ""
    splits = [
        example_gen_pb2.Input.Split(name=part.replace("-", "_"), pattern=f"{span}{part}-*.tfrecord")
        for part in sorted(described.counts)
    ]
    return tfx.ImportExampleGen(
        input_base=str(settings.shards.resolve()), input_config=example_gen_pb2.Input(splits=splits)
    )


def _splits(described, *which):
    """Names of the splits that belong to `train`, `validation` or `test`."""
    return [part.replace("-", "_") for part in sorted(described.counts) if part.split("-")[0] in which]


def _judged(described):
    """Test splits that a model is judged by: the labelled one where there is one."""
    splits = _splits(described, "test")
    return [f"test_{LABELLED}"] if f"test_{LABELLED}" in splits else splits
