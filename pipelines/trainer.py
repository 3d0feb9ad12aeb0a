"""What Trainer and Tuner call: a run of tfvae on the examples of the pipeline."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import keras_tuner
from absl import logging
from tfx.components.tuner.component import TunerFnResult

import tfvae
from tfvae import experiment as experiments
from tfvae.data import manifest, reshard
from tfvae.evaluation.evaluate import evaluate
from tfvae.metrics import METRICS
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.serving import export
from tfvae.storage import checked_json
from tfvae.training import trainer

# What of the manifest a run has to be told of the examples that it is given.
_DESCRIBED = ("image_shape", "class_names", "captions", "further_images", "entries", "names")


def run_fn(fn_args):
    """Trains the preset, or goes on where a killed pipeline left it, and exports it through the gate.

    Args:
        fn_args: TFX's; `custom_config` is that of `config`, hyperparameters of the Tuner overrule the preset's fields.
    """
    experiment, directory = prepared(fn_args, _hyperparameters(fn_args))
    trainer.train(experiment, directory, test_elsewhere=True)
    run = opening.open_run(directory)
    origin = RunDirectory(directory).description()
    export.write_checked(run.model, run.data, Path(fn_args.serving_model_dir), fn_args.custom_config["name"], origin)
    _keep(run, Path(fn_args.model_run_dir))


def config(settings):
    """What `run_fn` and `tuner_fn` are told, as plain JSON values; the version of tfvae too, for the cache."""
    described = settings.described()
    return {
        "name": settings.name,
        "experiment": experiments.to_dict(settings.experiment),
        "described": {name: getattr(described, name) for name in _DESCRIBED},
        "counts": {part: num for part, num in described.counts.items() if not part.startswith("test-")},
        "runs": str((settings.workdir / "runs").resolve()),
        "tfvae": tfvae.__version__,
        "tuned": {field: list(bounds) for field, bounds in settings.tuned.items()},
        "tuner_trials": settings.tuner_trials,
    }


def prepared(fn_args, changed=None):
    """The experiment on the pipeline's own examples, and its run directory: the same for the same inputs.

    So a rerun after a kill finds the checkpoints of the run that was killed.
    """
    settings = fn_args.custom_config
    files = _files([*fn_args.train_files, *fn_args.eval_files])
    experiment = _changed(experiments.from_dict(settings["experiment"]), changed or {})
    key = json.dumps([experiments.digest(experiment), files, settings["tfvae"]])
    directory = Path(settings["runs"]) / hashlib.sha256(key.encode()).hexdigest()[:16]
    shards = Path(settings["runs"]) / f"shards-{hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]}"
    if not shards.exists():
        described = manifest.Manifest(**settings["described"], shards=(), counts=settings["counts"])
        reshard.to_shards(files, shards, described)
    data = dataclasses.replace(experiment.data, source="shards", path=str(shards))
    logging.info("Training in %s on %s.", directory, shards)
    return dataclasses.replace(experiment, data=data), directory


def tuner_fn(fn_args):
    """Tuner's callback: random search of the fields that `--tune` names, each trial a run of its own."""
    settings = fn_args.custom_config
    space = keras_tuner.HyperParameters()
    for field, (low, high) in settings["tuned"].items():
        space.Float(field, low, high, sampling="log")
    monitor = settings["experiment"]["training"]["monitor"]
    objective = keras_tuner.Objective(f"val_{monitor}", "max" if METRICS[monitor].rises else "min")
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=objective, max_trials=settings["tuner_trials"], hyperparameters=space, seed=0
    )
    trials = _Trials(fn_args, oracle=oracle, directory=fn_args.working_dir, project_name="trials")
    return TunerFnResult(tuner=trials, fit_kwargs={})


class _Trials(keras_tuner.engine.base_tuner.BaseTuner):
    """Runs of tfvae in the place of Keras models that are built and fitted."""

    def __init__(self, fn_args, **kwargs):
        super().__init__(**kwargs)
        self._fn_args = fn_args

    def run_trial(self, trial, *args, **kwargs):
        experiment, directory = prepared(self._fn_args, trial.hyperparameters.values)
        try:
            last = trainer.train(experiment, directory, test_elsewhere=True)
        except ValueError as error:  # keras-tuner would swallow it, and fail later without a word of it.
            raise keras_tuner.errors.FatalError(f"{trial.hyperparameters.values}: {error}") from error
        return {self.oracle.objective.name: last[f"best_{experiment.training.monitor}"]}


def _hyperparameters(fn_args):
    """{field: value} that the Tuner found best; {} without a Tuner."""
    found = fn_args.hyperparameters
    return keras_tuner.HyperParameters.from_config(found).values if found else {}


def _changed(experiment, values):
    """The experiment with other values of dotted fields, whole numbers where the field holds one."""
    fields = experiments.to_dict(experiment)
    for field, value in values.items():
        *groups, last = field.split(".")
        group = fields
        for name in groups:
            group = group[name]
        group[last] = round(value) if isinstance(group[last], int) else value
    return experiments.from_dict(fields)


def _files(patterns):
    """Files by "<split>-<stream>", from patterns of paths below folders `Split-<split>_<stream>`."""
    found = {}
    for pattern in patterns:
        folder = Path(pattern).parent
        part = folder.name.removeprefix("Split-").replace("_", "-", 1)  # Names of streams may have more.
        found[part] = sorted(str(path) for path in folder.iterdir() if path.is_file())
    return found


def _keep(run, directory):
    """What people look at, as the artifact `model_run`: metrics of the validation rows, curves, TensorBoard's files.

    The test rows are the Evaluator's: a run of the pipeline does not see them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    metrics = evaluate(run.model, run.data, run.data.validation, iw_samples=0)
    checked_json.write(directory / "metrics.json", metrics)
    for name in ("config.json", "metrics.jsonl"):
        shutil.copy(run.workdir / name, directory / name)
    shutil.copytree(run.workdir / "tensorboard", directory / "tensorboard", dirs_exist_ok=True)
