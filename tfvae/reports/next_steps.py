"""Commands for somebody who has just read a report."""


def next_steps(workdir, metrics, data, has_classes):
    """(what, why, command) of every step.

    Args:
        workdir: of the run.
        metrics: what was measured.
        data: of the run.
        has_classes: whether the model classifies.
    """
    run = f"--workdir={workdir}"
    steps = []
    if has_classes and "draws" not in metrics:
        steps.append(("See how much is luck", "trains on other draws of the labels", f"tfvae-evaluate {run} --draws=3"))
    if len(data.labelled) and not any(name.startswith("baseline_") for name in metrics):
        command = f"tfvae-evaluate {run} --baselines"
        steps.append(("Compare", "trains rivals on the same labels", command))
    if len(data.transform.raw_shape) == 3:
        steps.append(("Look at more samples", "draws a grid", f"tfvae-sample {run} --output=samples.png --num=64"))
    command = f"tfvae-export {run} --output=savedmodels/{_name(workdir)}"
    steps.append(("Serve it", "writes a version for TensorFlow Serving", command))
    command = f"tensorboard --logdir={workdir}/tensorboard"
    steps.append(("Watch the training", "bounds, pictures and codes by epoch", command))
    return steps


def _name(workdir):
    return str(workdir).rstrip("/").rsplit("/", 1)[-1] or "model"
