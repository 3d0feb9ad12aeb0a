"""The best epoch so far, and how far a run got by what it wrote down."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from tfvae import metrics
from tfvae.models.base import GenerativeModel
from tfvae.storage.metrics_log import Record


class Monitor:
    """The best value so far of one validation metric.

    Args:
        name: one of `tfvae.metrics.MONITORS`.
        patience: epochs without a better value until `exhausted`; 0 for never.
        begins: epochs that are not waited for, because not all players have played.
    """

    def __init__(self, name: str, patience: int = 0, begins: int = 0) -> None:
        self.name = name
        self.key = f"val_{name}"
        self.patience = patience
        self.begins = begins
        self.best: float | None = None
        self.best_epoch = 0
        self.waited = 0

    def observe(self, epoch: int, value: float) -> bool:
        """Takes the value after an epoch (from 1); whether its weights are the best so far.

        A tie goes to the later epoch: on few validation rows errors tie early, while the bound still rises. Patience
        waits for a value that is truly better.
        """
        better = self.best is None or metrics.METRICS[self.name].better(value, self.best)
        self.waited = 0 if better or epoch <= self.begins else self.waited + 1
        if better or value == self.best:
            self.best, self.best_epoch = value, epoch
            return True
        return False

    @property
    def exhausted(self) -> bool:
        return bool(self.patience) and self.waited >= self.patience


class Course(NamedTuple):
    """How far a run got.

    done:   epochs that were trained.
    epochs: that were asked for.
    judged: the epoch of the best weights, which are the ones that are measured; 0 before the first.
    ended:  whether it came to its last epoch, or patience ended it.
    """

    done: int
    epochs: int
    judged: int
    ended: bool

    @property
    def wanting(self) -> str:
        """A sentence about a run that was interrupted; empty for one that ended."""
        if self.ended:
            return ""
        told = f"The run was interrupted: {self.done:,} of {self.epochs:,} epochs"
        judged = f"; the weights judged are those of epoch {self.judged:,}" if self.judged else ""
        return f"{told}{judged}. tfvae-train with the same flags goes on with it."


def begins(model: GenerativeModel, steps_per_epoch: int) -> int:
    """Epochs that patience does not count: until every player plays, or a chain has burnt in."""
    learner = model.learner()
    rounds = learner.burn_in if learner else max(player.begins for player in model.players().values())
    return -(-rounds // steps_per_epoch)


def course(records: Iterable[Record], training: dict[str, Any], waits: int) -> Course:
    """The `Course` of a run.

    Args:
        records: of its `metrics.jsonl`.
        training: the fields `epochs`, `monitor` and `patience` of its experiment.
        waits: epochs that patience did not count, `begins` of its model.
    """
    monitor = Monitor(training["monitor"], training["patience"], waits)
    done = 0
    for record in records:
        done = record["epoch"]
        monitor.observe(done, record[monitor.key])
    ended = done >= training["epochs"] or monitor.exhausted
    return Course(done, training["epochs"], monitor.best_epoch, ended)
