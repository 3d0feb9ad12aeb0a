"""How a model is trained."""

import dataclasses

from tfvae import ranges
from tfvae.metrics import MONITORS

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
OPTIMISERS = ("adam", "rmsprop", "sgd")
DECAYS = ("staircase", "exponential", "linear", "cosine")

# Of an optimiser's fields, the same of a training and of a player.
_OPTIMISER, _DECAY = ranges.Choices(OPTIMISERS), ranges.Choices(DECAYS)
_RATE_OR_0 = ranges.RATES._replace(open_below=False)
_FACTOR = ranges.SHARES._replace(open_below=True)


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

    optimiser: str | None = ranges.field(None, _OPTIMISER)
    learning_rate: float | None = ranges.field(None, ranges.RATES)
    momentum: float | None = ranges.field(None, ranges.BELOW_ONE)
    decay: str | None = ranges.field(None, _DECAY)
    decay_factor: float | None = ranges.field(None, _FACTOR)
    decay_epochs: int | None = ranges.field(None, ranges.POSITIVE_COUNTS)
    min_learning_rate: float | None = ranges.field(None, _RATE_OR_0)
    clip_norm: float | None = ranges.field(None, ranges.WEIGHTS)
    weight_decay: float | None = ranges.field(None, _RATE_OR_0)


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

    epochs: int = ranges.field(100, ranges.POSITIVE_COUNTS)
    steps_per_epoch: int = ranges.field(0, ranges.COUNTS)
    learning_rate: float = ranges.field(3e-4, ranges.RATES)
    optimiser: str = ranges.field("adam", _OPTIMISER)
    momentum: float = ranges.field(0.9, ranges.BELOW_ONE)
    decay: str = ranges.field("staircase", _DECAY)
    decay_factor: float = ranges.field(1.0, _FACTOR, hint="1 is no decay.")
    decay_epochs: int = ranges.field(200, ranges.POSITIVE_COUNTS)
    min_learning_rate: float = ranges.field(3e-5, _RATE_OR_0)
    clip_norm: float = ranges.field(0.0, ranges.WEIGHTS)
    weight_decay: float = ranges.field(0.0, _RATE_OR_0)
    players: dict[str, Player] = dataclasses.field(default_factory=Players)
    patience: int = ranges.field(0, ranges.COUNTS)
    monitor: str = ranges.field("error", ranges.Choices(MONITORS))
    start_from: str = ranges.field("", ranges.EXISTING_PATH)
    seed: int = ranges.field(0, ranges.SEEDS)
    checkpoint_epochs: int = ranges.field(1, ranges.POSITIVE_COUNTS)
    keep_checkpoints: int = ranges.field(3, ranges.COUNTS._replace(least=3))
    precision: str = ranges.field("float32", ranges.Choices(PRECISIONS))
    num_replicas: int = ranges.field(1, ranges.Interval(0, 1024))
    steps_per_execution: int = ranges.field(1, ranges.Interval(1, 100_000))
    figures_epochs: int = ranges.field(10, ranges.COUNTS)

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
