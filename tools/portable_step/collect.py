"""Brings the variables that run.py trained back into their run directory: see export.py.

    python tools/portable_step/collect.py --workdir=RUN --folder=FOLDER

Those of the best epoch, by the validation rows as tfvae-train chooses, become the best weights of the run, which
tfvae-evaluate, tfvae-sample and tfvae-export open. Only the epochs that run.py kept can be chosen.
"""

import collections
import json
from pathlib import Path

import numpy as np
from absl import app, flags

from tfvae.data import load
from tfvae.run.directory import RunDirectory
from tfvae.run.monitor import Monitor
from tfvae.storage import checkpoints
from tfvae.training import callbacks, trainer


def collect(workdir, folder):
    """Makes the best of what was trained in `folder` the best weights of the run in `workdir`.

    Returns:
        {"best_epoch", "val_<monitor>"} of the epoch that was chosen.
    """
    directory, folder = RunDirectory(workdir), Path(folder)
    experiment, split = directory.read()
    data = load.load(experiment.data, split)
    model = trainer.compiled(experiment, data, data.steps_per_epoch)
    validation, monitor = callbacks.Validation(data, _refuse), Monitor(experiment.training.monitor)
    validation.set_model(model)
    with directory.lock():
        for epoch, values in sorted(_kept(folder).items()):
            known = {v.path: v for v in model.variables if v.path in values}
            checkpoints.assign(known, {name: values[name] for name in known}, folder / "trained.npz")
            logs = {}
            validation.on_epoch_end(epoch, logs)
            print(json.dumps({"epoch": epoch, **logs}))
            if monitor.observe(epoch, logs[monitor.key]):
                checkpoints.save_weights(directory.best_weights, model)
    chosen = {"best_epoch": monitor.best_epoch, monitor.key: monitor.best}
    print(json.dumps(chosen))
    return chosen


def _kept(folder):
    """{epoch: {path of a variable: value}}."""
    names = json.loads((folder / "spec.json").read_text())["state"]
    found = collections.defaultdict(dict)
    with np.load(folder / "trained.npz") as trained:
        for key in trained.files:
            epoch, _, number = key.partition("/")
            found[int(epoch)][names[int(number)]] = trained[key]
    return found


def _refuse(logs):
    raise ValueError(f"The validation is not finite: {logs}.")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "The run directory that export.py was given.", required=True)
    flags.DEFINE_string("folder", None, "The folder that run.py ran in.", required=True)
    app.run(lambda argv: collect(flags.FLAGS.workdir, flags.FLAGS.folder))
