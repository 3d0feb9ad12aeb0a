"""The flags of a pipeline, for all its runners."""

import pathlib
import shlex
import sys

from absl import app, flags
from ml_collections import config_flags

from pipelines.settings import Settings, Thresholds

_CONFIG = config_flags.DEFINE_config_file(
    "config", lock_config=True, help_string="Preset, e.g. tfvae/configs/sdgm_folder.py, or with `:tiny` behind it."
)
_INPUT = flags.DEFINE_string("input", None, "Shards of tfvae-ingest, or a folder of span-<n> of them.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Of this pipeline: artifacts, metadata, records.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The model's base path, e.g. savedmodels/photos.", required=True)
_BASE_PATH = flags.DEFINE_string("base_path", "/models", "Where the server sees the directory above --output.")
_ERROR = flags.DEFINE_float("error", 1.0, "The largest fraction of wrong classes of a model that is pushed.")
_CALIBRATION_ERROR = flags.DEFINE_float("calibration_error", 1.0, "Its largest expected calibration error.")
_BOUND = flags.DEFINE_float("bound", -sys.float_info.max, "Its smallest mean bound on log p(x), in nats.")
_ERROR_SLACK = flags.DEFINE_float("error_slack", 0.005, "How much larger than the last blessed model's.")
_CALIBRATION_SLACK = flags.DEFINE_float("calibration_error_slack", 1.0, "How much larger than the last model's.")
_BOUND_SLACK = flags.DEFINE_float("bound_slack", 1.0, "How much smaller than the last blessed model's, in nats.")
_SCHEMA = flags.DEFINE_string("schema", "", "A curated schema as text; else that of the workdir, made of the manifest.")
_TUNE = flags.DEFINE_multi_string("tune", [], "A field and its range, e.g. training.learning_rate=1e-4:1e-2.")
_TRIALS = flags.DEFINE_integer("tuner_trials", 0, "How many settings of --tune are tried.", lower_bound=0)
_BEAM = flags.DEFINE_string("beam", "", "Flags of a Beam runner, e.g. '--runner=FlinkRunner --flink_master=...'.")


def settings():
    """`Settings`, checked.

    Raises:
        ValueError: if no pipeline can be made of the settings.
    """
    if _CONFIG.value is None:
        raise app.UsageError("Name a preset: --config=tfvae/configs/sdgm_folder.py.")
    # Absolute: workers and containers may have another working directory.
    output = pathlib.Path(_OUTPUT.value).absolute()
    thresholds = Thresholds(
        _ERROR.value, _CALIBRATION_ERROR.value, _BOUND.value, _ERROR_SLACK.value, _CALIBRATION_SLACK.value,
        _BOUND_SLACK.value,
    )  # fmt: skip
    made = Settings(
        name=output.resolve().name,
        experiment=_CONFIG.value,
        shards=pathlib.Path(_INPUT.value).absolute(),
        workdir=pathlib.Path(_WORKDIR.value).absolute(),
        output=output,
        base_path=_BASE_PATH.value,
        thresholds=thresholds,
        schema=str(pathlib.Path(_SCHEMA.value).absolute()) if _SCHEMA.value else "",
        tuner_trials=_TRIALS.value,
        tuned=dict(map(_range, _TUNE.value)),
        **({"beam_args": tuple(shlex.split(_BEAM.value))} if _BEAM.value else {}),
    )
    made.check()
    return made


def _range(text):
    """`training.learning_rate=1e-4:1e-2` -> (field, (low, high))."""
    field, _, bounds = text.partition("=")
    try:
        low, high = map(float, bounds.split(":"))
    except ValueError:
        raise ValueError(
            f"`--tune` takes field=low:high, e.g. training.learning_rate=1e-4:1e-2, got {text!r}."
        ) from None
    return field, (low, high)
