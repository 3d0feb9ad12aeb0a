"""How a model is trained."""

import dataclasses

from tfvae.metrics import MONITORS

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
OPTIMISERS = ("adam", "rmsprop", "sgd")
DECAYS = ("staircase", "exponential", "linear", "cosine")

# Smallest value of each numeric field.
_AT_LEAST = {
    "epochs": 1, "patience": 0, "seed": 0, "checkpoint_epochs": 1, "keep_checkpoints": 3, "num_replicas": 0,
    "steps_per_execution": 1, "figures_epochs": 0, "steps_per_epoch": 0,
}  # fmt: skip
_AT_LEAST_OF_OPTIMISERS = {"decay_epochs": 1, "min_learning_rate": 0, "clip_norm": 0, "weight_decay": 0}


@dataclasses.dataclass
class Player:
    """How one player's optimiser differs; a field that is None is that of the whole training.

    Args:
        optimiser: as in `Config`, like all that follow.
        learning_rate: of its steps.
        momentum: of `rmsprop` and `sgd`.
        decay: over the epochs in which it plays.
        decay_factor: of `staircase` and `exponential`.
        decay_epochs: of both.
        min_learning_rate: where the decay stops.
        clip_norm: of its gradients alone.
        weight_decay: of its kernels.
    """

    optimiser: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    decay: str | None = None
    decay_factor: float | None = None
    decay_epochs: int | None = None
    min_learning_rate: float | None = None
    clip_norm: float | None = None
    weight_decay: float | None = None


class Players(dict):
    """name -> `Player`; one that is asked for is there, so that a command line can set a field of any.

    Names that the model does not have are refused when its optimisers are made.
    """

    def __missing__(self, name):
        self[name] = Player()
        return self[name]


@dataclasses.dataclass
class Config:
    """Settings of one training run.

    Args:
        epochs: an epoch is one pass over the unlabelled rows, or `steps_per_epoch`.
        steps_per_epoch: steps from one validation to the next, for a training so short that passes are too long for
            early stopping; the order of rows does not change, a pass goes on in the next epoch. All that is counted in
            epochs is counted in these. 0 for one pass.
        learning_rate: of the first step.
        optimiser: `adam` with (0.9, 0.999), `rmsprop` with Nesterov's momentum, or `sgd` with momentum.
        momentum: of `rmsprop` and `sgd`.
        decay: `staircase` multiplies the rate by `decay_factor` every `decay_epochs` epochs, `exponential` does so
            evenly; `linear` and `cosine` lead to `min_learning_rate` over all epochs.
        decay_factor: of `staircase` and `exponential`; 1 for a constant rate.
        decay_epochs: epochs between two decays.
        min_learning_rate: where the decay stops.
        clip_norm: largest global norm of the gradients, 0 for no clipping.
        weight_decay: λ of θ ← θ − η λ θ in every step, of kernels only (Loshchilov & Hutter 2019); 0 for none.
        players: by name, how the optimiser of a player differs, where a model has several.
        patience: epochs without a better validation metric before training stops, 0 to never stop early.
        monitor: the validation metric of the best weights: `error`, `bound` or `perplexity`; of models with critics
            `reconstruction_error` or `sample_distance` too.
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
    steps_per_epoch: int = 0
    learning_rate: float = 3e-4
    optimiser: str = "adam"
    momentum: float = 0.9
    decay: str = "staircase"
    decay_factor: float = 1.0
    decay_epochs: int = 200
    min_learning_rate: float = 3e-5
    clip_norm: float = 0.0
    weight_decay: float = 0.0
    players: Players = dataclasses.field(default_factory=Players)
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
        """Raises ValueError if the run cannot be trained like this."""
        self._at_least(_AT_LEAST)
        if self.monitor not in MONITORS:
            raise ValueError(f"`training.monitor` must be one of {MONITORS}, got {self.monitor!r}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"`training.precision` must be one of {PRECISIONS}, got {self.precision!r}.")
        self._validate_optimiser()
        for name in self.players:
            self.of_player(name)._validate_optimiser(f"training.players.{name}")

    def of_player(self, name):
        """These settings with what differs for a player; the same for one of which nothing is said."""
        own = dataclasses.asdict(self.players[name]) if name in self.players else {}
        return dataclasses.replace(self, **{field: value for field, value in own.items() if value is not None})

    def steps_of_epoch(self, steps_of_pass):
        """Training steps of an epoch, where a pass over the unlabelled rows has so many."""
        steps = self.steps_per_epoch or steps_of_pass
        return -(-steps // self.steps_per_execution) * self.steps_per_execution

    def depends_on_epochs(self):
        """Whether another number of epochs is another training from its first step on."""
        return any(self.of_player(name).decay in ("linear", "cosine") for name in ("", *self.players))

    def _validate_optimiser(self, path="training"):
        self._at_least(_AT_LEAST_OF_OPTIMISERS, path)
        for name, known in (("optimiser", OPTIMISERS), ("decay", DECAYS)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{path}.{name}` must be one of {known}, got {getattr(self, name)!r}.")
        if not self.learning_rate > 0:
            raise ValueError(f"`{path}.learning_rate` must be positive, got {self.learning_rate}.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"`{path}.momentum` must lie in [0, 1), got {self.momentum}.")
        if not 0 < self.decay_factor <= 1:
            raise ValueError(f"`{path}.decay_factor` must lie in (0, 1], got {self.decay_factor}; 1 is no decay.")

    def _at_least(self, smallest, path="training"):
        for name, least in smallest.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"`{path}.{name}` must be at least {least}, got {getattr(self, name)}.")
