"""How far a run is, as one value that the callbacks share: steps, variables, and the best epoch so far."""

from tfvae import metrics
from tfvae.storage import checkpoints
from tfvae.storage.metrics_log import MetricsLog


class Monitor:
    """The best value so far of one validation metric.

    Args:
        name: one of `tfvae.metrics.MONITORS`.
        patience: epochs without a better value until `exhausted`; 0 for never.
    """

    def __init__(self, name, patience=0):
        self.name = name
        self.key = f"val_{name}"
        self.patience = patience
        self.best = None
        self.best_epoch = 0
        self.waited = 0

    def observe(self, epoch, value):
        """Takes the value after an epoch (from 1); whether its weights are the best so far.

        A tie goes to the later epoch: on few validation rows errors tie early, while the bound still rises. Patience
        waits for a value that is truly better.
        """
        better = self.best is None or metrics.METRICS[self.name].better(value, self.best)
        self.waited = 0 if better else self.waited + 1
        if better or value == self.best:
            self.best, self.best_epoch = value, epoch
            return True
        return False

    @property
    def exhausted(self):
        return bool(self.patience) and self.waited >= self.patience


class TrainingState:
    """What resuming restores.

    Args:
        model: compiled, its optimiser built.
        directory: `tfvae.run.directory.RunDirectory`.
        settings: `tfvae.settings.Config`.
        steps_per_epoch: training steps an epoch.

    Attributes:
        step: training steps done.
    """

    def __init__(self, model, directory, settings, steps_per_epoch):
        self.model = model
        self.directory = directory
        self.steps_per_epoch = steps_per_epoch
        self.step = 0
        self.monitor = Monitor(settings.monitor, settings.patience)
        self.log = MetricsLog(directory.metrics_log)
        self.checkpoints = checkpoints.Checkpoints(directory.checkpoints, settings.keep_checkpoints)
        self._variables = {
            "model": checkpoints.by_path(model.variables),
            "optimiser": checkpoints.by_path(model.optimizer.variables),
        }
        # Sums of the epoch's metrics, so that an epoch that was interrupted reports all its steps.
        self._metrics = checkpoints.by_path([variable for metric in model.metrics for variable in metric.variables])
        self._interrupted_metrics = None

    @property
    def epoch(self):
        """Epochs done."""
        return self.step // self.steps_per_epoch

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
        for line in self.log.truncate(self.epoch):
            self.monitor.observe(line["epoch"], line[self.monitor.key])

    def restore(self, checkpoint):
        """Assigns the variables of a `Checkpoint`."""
        source = self.checkpoints.path(checkpoint.step)
        for name, variables in self._variables.items():
            checkpoints.assign(variables, checkpoint.values.get(name, {}), source)
        self.step = checkpoint.step
        self._interrupted_metrics = checkpoint.values.get("metrics", {})

    def restore_metrics(self):
        """Once after a resume within an epoch: what the epoch's metrics were when it was interrupted."""
        if self._interrupted_metrics is not None and self.step % self.steps_per_epoch:
            checkpoints.assign(self._metrics, self._interrupted_metrics, "The checkpoint's metrics")
        self._interrupted_metrics = None
