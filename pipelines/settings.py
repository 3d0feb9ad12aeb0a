"""The settings of a pipeline, checked before anything long begins."""

import dataclasses
import json
import sys
from pathlib import Path

from pipelines import schema as schemas
from tfvae import experiment as experiments
from tfvae import ranges
from tfvae.batch import LABELLED
from tfvae.data import manifest
from tfvae.experiment import Experiment
from tfvae.serving import export

# In this process. Beam's default would look for a runner of another kind on the internet first.
LOCAL_BEAM = ("--runner=FnApiRunner", "--direct_running_mode=in_memory", "--direct_num_workers=1")


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Limits that a model must reach on the test examples to be blessed; a value that is not finite never is.

    Args:
        error: the largest fraction of wrong classes.
        calibration_error: the largest expected calibration error.
        bound: the smallest mean bound on log p(x), in nats.
        error_slack, calibration_error_slack, bound_slack: how much worse than the last blessed model it may be.
    """

    error: float = 1.0
    calibration_error: float = 1.0
    bound: float = -sys.float_info.max
    error_slack: float = 0.005
    calibration_error_slack: float = 1.0
    bound_slack: float = 1.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """One pipeline.

    Args:
        name: of the model, the last part of `output`.
        experiment: what is trained; its `data.source` and `data.path` are set to the examples of the pipeline.
        shards: the folder that ingest wrote, or one of such folders named `span-<n>`, of which the last is taken.
        workdir: of this pipeline: artifacts, metadata, records, training runs.
        output: where versions are pushed, `savedmodels/<name>`.
        base_path: where the server sees the folder above `output`, for `models.config`.
        thresholds: of the Evaluator.
        schema: a curated schema, as text; empty for the one that the manifest implies, which is then left in `workdir`
            to be curated.
        tuner_trials: how many settings of `tuned` the Tuner tries; 0 for no Tuner.
        tuned: field of the experiment -> (smallest, largest) value, drawn evenly on a logarithmic scale.
        beam_args: flags of Beam's runner.
    """

    name: str
    experiment: Experiment
    shards: Path
    workdir: Path
    output: Path
    base_path: str = "/models"
    thresholds: Thresholds = Thresholds()
    schema: str = ""
    tuner_trials: int = 0
    tuned: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    beam_args: tuple[str, ...] = LOCAL_BEAM

    @property
    def span(self):
        """The folder of shards itself: the newest span, or `shards` where it has none."""
        spans = [path for path in self.shards.glob("span-*") if path.name.removeprefix("span-").isdecimal()]
        return max(spans, key=lambda path: int(path.name.removeprefix("span-")), default=self.shards)

    @property
    def root(self):
        return self.workdir / "artifacts"

    @property
    def metadata(self):
        return self.workdir / "metadata.sqlite"

    @property
    def records(self):
        return self.workdir / "records"

    @property
    def schema_file(self):
        return Path(self.schema) if self.schema else self.workdir / "schema" / "schema.pbtxt"

    def described(self):
        """The manifest of the examples.

        Raises:
            ValueError: if the shards are damaged, or hold nothing that a model can be judged by.
        """
        found = manifest.read(self.span)
        try:
            manifest.verify(self.span, found)
        except manifest.DamagedShards as error:
            # No quarantine here: ImportExampleGen would stop at the damaged record.
            raise manifest.DamagedShards(str(error).partition(" To go on without")[0]) from error
        if not any(shard.split == "test" for shard in found.shards):
            raise ValueError(
                f"{self.span} has no test rows, so that no model could be judged. Give some images the split `test`, "
                "or ingest with a `--test_fraction` above 0."
            )
        if not any(shard.split == "validation" for shard in found.shards):
            raise ValueError(
                f"{self.span} has no validation rows to choose the best weights by. Give some images the split "
                "`validation`, or ingest with a `--validation_fraction` above 0."
            )
        return found

    @property
    def bounds(self):
        """Whether the model will have a bound on log p(x)."""
        return getattr(self.experiment.model, "has_density", True)

    def classifies(self, described):
        """Whether the model will have probabilities: something in its preset learns labels, and there are some."""
        model, data = self.experiment.model, self.experiment.data
        learns = getattr(model, "label_weight", 1.0) and data.labelled_batch
        return bool(learns and described.class_names and described.of("train", LABELLED))

    def check(self):
        """Checks the settings.

        Raises:
            ValueError: if no pipeline can be made of them.
        """
        ranges.check(self.experiment)
        export.check_output(self.output)
        described = self.described()
        if self.classifies(described):
            for split in ("validation", "test"):
                if not described.of(split, LABELLED):
                    raise ValueError(
                        f"{self.span} has no labelled row of the split `{split}`, so that no error could be measured. "
                        f"Ingest with a `--{split}_fraction` above 0, or give labelled images that split."
                    )
        for field, (low, high) in self.tuned.items():
            value = json.loads(experiments.digest(self.experiment))
            for part in field.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < low < high:
                raise ValueError(
                    f"`--tune` {field}={low}:{high} must name a number of the preset, such as training.learning_rate, "
                    "and two positive bounds, the smaller one first."
                )
        if bool(self.tuned) != bool(self.tuner_trials):
            raise ValueError("`--tune` and `--tuner_trials` go together: give both, or neither.")
        if self.schema and not Path(self.schema).is_file():
            raise ValueError(f"There is no schema file {self.schema}.")
        if self.schema_file.is_file():
            schemas.check(schemas.read(self.schema_file), described)
