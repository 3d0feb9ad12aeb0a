"""How far a run is, as one value that the callbacks share: steps, variables, and the best epoch so far."""

import re

import numpy as np

from tfvae.run.monitor import Monitor, begins
from tfvae.storage import checkpoints
from tfvae.storage.metrics_log import MetricsLog


class TrainingState:
    """What resuming restores.

    Args:
        model: compiled, its optimisers built.
        directory: `tfvae.run.directory.RunDirectory`.
        settings: `tfvae.settings.Config`.
        steps_per_epoch: training steps an epoch.
        chain: `Chain` of a model that is learned by one.

    Attributes:
        step: training steps done.
        draws: `Checkpoints` of the draws that a chain keeps.
    """

    def __init__(self, model, directory, settings, steps_per_epoch, chain=None):
        self.model = model
        self.directory = directory
        self.steps_per_epoch = steps_per_epoch
        self.step = 0
        self.epochs = settings.epochs
        self.monitor = Monitor(settings.monitor, settings.patience, begins(model, steps_per_epoch))
        self.log = MetricsLog(directory.metrics_log)
        self.checkpoints = checkpoints.Checkpoints(directory.checkpoints, settings.keep_checkpoints)
        self._variables = {
            "model": checkpoints.by_path(model.variables),
            "optimiser": _of_optimisers(model.optimisers),
            "clock": {"step": model.step},
            **({"chain": chain.variables} if chain else {}),
        }
        self.draws = checkpoints.Checkpoints(directory.draws, chain.learner.num_draws if chain else 0)
        # Sums of the epoch's metrics, so that an epoch that was interrupted reports all its steps.
        self._metrics = checkpoints.by_path([variable for metric in model.metrics for variable in metric.variables])
        self._interrupted_metrics = None

    @property
    def epoch(self):
        """Epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def is_to_go_on(self):
        """Whether there is anything left to train."""
        return self.epoch < self.epochs and not self.monitor.exhausted

    def save(self):
        """A checkpoint of this step."""
        groups = {name: checkpoints.values(variables) for name, variables in self._variables.items()}
        self.checkpoints.save(self.step, {**groups, "metrics": checkpoints.values(self._metrics)})

    def resume(self):
        """Goes back to the newest good checkpoint; the first one is saved where there is none.

        Raises:
            ValueError: where no checkpoint is good or fits, or `metrics.jsonl` lacks lines.
        """
        checkpoint = self.checkpoints.newest(set_aside=True)
        if checkpoint is None:
            self.log.truncate(0)
            self.save()
            return
        self.restore(checkpoint)
        self.checkpoints.remove_old()
        self.draws.remove_after(self.step)
        for line in self.log.truncate(self.epoch):
            self.monitor.observe(line["epoch"], line[self.monitor.key])

    def restore(self, checkpoint):
        """Assigns the variables of a `Checkpoint`."""
        source = self.checkpoints.path(checkpoint.step)
        values = checkpoint.values
        if "clock" not in values:
            values = _with_a_clock(values, self.model.players(), self._metrics)
        for name, variables in self._variables.items():
            checkpoints.assign(variables, values.get(name, {}), source)
        self.step = checkpoint.step
        self._interrupted_metrics = values.get("metrics", {})

    def restore_metrics(self):
        """Once after a resume within an epoch: what the epoch's metrics were when it was interrupted."""
        if self._interrupted_metrics is not None and self.step % self.steps_per_epoch:
            checkpoints.assign(self._metrics, self._interrupted_metrics, "The checkpoint's metrics")
        self._interrupted_metrics = None


def _of_optimisers(optimisers):
    """All variables of optimisers by path, below the player's name where there are several."""
    found = {name: checkpoints.by_path(optimiser.variables) for name, optimiser in optimisers.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return {f"{name}/{path}": variable for name, of_one in found.items() for path, variable in of_one.items()}


def _with_a_clock(values, players, metrics):
    """The groups of a checkpoint of version 0.1: one Adam moved all variables, and its count was the clock.

    A player takes its moments from that Adam, and for its count the steps that it would have made. Losses of players
    that this version did not report begin at 0.
    """
    adam = values.get("optimiser", {})
    done = int(adam.get("adam/iteration", 0))
    divided = {}
    for name, player in players.items():
        prefix = f"{name}/" if len(players) > 1 else ""
        divided |= {f"{prefix}{path}": array for path, array in adam.items() if _is_of(path, player)}
        if "adam/iteration" in adam:
            count = np.asarray(player.steps * player.rounds(done), adam["adam/iteration"].dtype)
            divided[f"{prefix}adam/iteration"] = count
    kept = values.get("metrics", {})
    sums = {path: kept.get(path, np.zeros(variable.shape, variable.dtype)) for path, variable in metrics.items()}
    return {**values, "optimiser": divided, "clock": {"step": np.asarray(done, np.int32)}, "metrics": sums}


def _is_of(path, player):
    """Whether a variable of an optimiser is about one of the player's, or about all."""
    of_variable = re.fullmatch(r"adam/(.+)_(momentum|velocity)", path)
    return not of_variable or of_variable[1] in {variable.path.replace("/", "_") for variable in player.variables}
