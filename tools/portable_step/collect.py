"""Brings the variables that run.py trained back into their run directory: see export.py.

    python tools/portable_step/collect.py --workdir=RUN --folder=FOLDER

They become the best weights of the run, which tfvae-evaluate, tfvae-sample and tfvae-export open. They are those of
the last epoch: no epoch was chosen by its validation rows.
"""

import json
from pathlib import Path

import numpy as np
from absl import app, flags

from tfvae.data import load
from tfvae.training import checkpoints, run, trainer


def collect(workdir, folder):
    """Makes what was trained in `folder` the best weights of the run in `workdir`."""
    directory, folder = run.RunDirectory(workdir), Path(folder)
    experiment, split = directory.read()
    data = load.load(experiment.data, split)
    model = trainer.compiled(experiment, data, data.steps_per_epoch)
    names = json.loads((folder / "spec.json").read_text())["state"]
    with np.load(folder / "trained.npz") as trained:
        values = {names[int(i)]: trained[i] for i in trained.files}
    variables = checkpoints.by_path(model.variables)
    checkpoints.assign(variables, {name: values[name] for name in variables if name in values}, folder / "trained.npz")
    with directory.lock():
        checkpoints.save_weights(directory.best_weights, model)
    print((folder / "trained.json").read_text())


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "The run directory that export.py was given.", required=True)
    flags.DEFINE_string("folder", None, "The folder that run.py ran in.", required=True)
    app.run(lambda argv: collect(flags.FLAGS.workdir, flags.FLAGS.folder))
