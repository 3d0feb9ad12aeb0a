"""How a model is trained."""

import dataclasses

from tfvae.metrics import MONITORS

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

# Smallest value of each numeric field.
_AT_LEAST = {
    "epochs": 1, "decay_epochs": 1, "min_learning_rate": 0, "clip_norm": 0, "patience": 0, "seed": 0,
    "checkpoint_epochs": 1, "keep_checkpoints": 3, "num_replicas": 0, "steps_per_execution": 1, "figures_epochs": 0,
}  # fmt: skip


@dataclasses.dataclass
class Config:
    """Settings of one training run.

    Args:
        epochs: an epoch is one pass over the unlabelled rows.
        learning_rate: of Adam with (0.9, 0.999).
        decay_factor: the rate is multiplied by it every `decay_epochs` epochs; 1 for a constant rate.
        decay_epochs: epochs between two decays.
        min_learning_rate: where the decay stops.
        clip_norm: largest global norm of the gradients, 0 for no clipping.
        patience: epochs without a better validation metric before training stops, 0 to never stop early.
        monitor: the validation metric of the best weights: `error`, `bound` or `perplexity`.
        start_from: a run directory whose best weights this run begins with, without its heads; empty for none.
        seed: of initialisation, noise and shuffling.
        checkpoint_epochs: epochs between two checkpoints.
        keep_checkpoints: how many are kept, at least 3.
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`.
        num_replicas: MirroredStrategy over that many devices; 1 for none, 0 for all GPUs there are.
        steps_per_execution: training steps in one call of the compiled function; an epoch is rounded up to a multiple.
        figures_epochs: epochs between two sets of pictures in TensorBoard, 0 for none but at the end.
    """

    epochs: int = 100
    learning_rate: float = 3e-4
    decay_factor: float = 1.0
    decay_epochs: int = 200
    min_learning_rate: float = 3e-5
    clip_norm: float = 0.0
    patience: int = 0
    monitor: str = "error"
    start_from: str = ""
    seed: int = 0
    checkpoint_epochs: int = 1
    keep_checkpoints: int = 3
    precision: str = "float32"
    num_replicas: int = 1
    steps_per_execution: int = 1
    figures_epochs: int = 10

    def validate(self):
        """Raises ValueError for what cannot be trained."""
        for name, least in _AT_LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"`training.{name}` must be at least {least}, got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise ValueError(f"`training.learning_rate` must be positive, got {self.learning_rate}.")
        if not 0 < self.decay_factor <= 1:
            raise ValueError(f"`training.decay_factor` must lie in (0, 1], got {self.decay_factor}; 1 is no decay.")
        if self.monitor not in MONITORS:
            raise ValueError(f"`training.monitor` must be one of {MONITORS}, got {self.monitor!r}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"`training.precision` must be one of {PRECISIONS}, got {self.precision!r}.")
