"""Learning without gradients and without `fit`: a chain whose steps are pure functions of a state that can be printed.

A model that is learned like this returns a `Learner` from `learner()`; run directory, interruption, resume, metrics,
TensorBoard, best weights and the guard against numbers that are not finite are those of every other training.
"""

import abc
from typing import Any

import tensorflow as tf

from tfvae.batch import Batch


class Learner(abc.ABC):
    """A chain: state, batch, seed -> state.

    The state is a NamedTuple of tensors (or of such tuples) whose shapes and types stay; it is what a checkpoint holds,
    so a chain that needs its running means, the count of its steps or moments of an optimiser keeps them there.

    Args:
        burn_in: steps before any draw is kept and before `training.patience` waits.
        thinning: steps from one kept draw to the next.
        num_draws: the newest draws that are kept as files of the run directory; 0 for none.
        compile_step: whether XLA compiles a step.
    """

    def __init__(self, burn_in: int = 0, thinning: int = 1, num_draws: int = 0, compile_step: bool = False) -> None:
        if burn_in < 0 or thinning < 1 or num_draws < 0:
            raise ValueError(
                "`burn_in` and `num_draws` are at least 0 and `thinning` at least 1, got "
                f"{burn_in}, {num_draws} and {thinning}."
            )
        self.burn_in = burn_in
        self.thinning = thinning
        self.num_draws = num_draws
        self.compile_step = compile_step

    @abc.abstractmethod
    def init(self, seed: tf.Tensor) -> Any:
        """The first state; `seed` is an int32 [2] tensor. The model has its first weights then."""

    @abc.abstractmethod
    def step(self, state: Any, batch: Batch, seed: tf.Tensor) -> Any:
        """The next state: a pure function, which reads no variable and changes none.

        Args:
            state: as `init` or `step` returned it.
            batch: of streams; with `data.entries=("row",)` every stream has an entry `row`, int64 [B]: the numbers of
                its rows among the `info.num_train` training rows, by which a chain finds what is local to an image.
            seed: int32 [2], another one every step.
        """

    @abc.abstractmethod
    def report(self, state: Any) -> dict[str, tf.Tensor]:
        """The numbers of a step: name -> scalar, or one value a row of the batch; their means make the metrics line."""

    @abc.abstractmethod
    def write(self, state: Any) -> None:
        """Gives the model's variables the values that it is validated, saved, evaluated and served with.

        Usually posterior means, or the last state where there are none yet. Called after every epoch.
        """

    def draw(self, state: Any) -> dict[str, tf.Tensor]:
        """The global parameters of a draw that is kept: name -> tensor."""
        raise NotImplementedError(f"{type(self).__name__} keeps {self.num_draws} draws and does not say of what.")

    def keeps(self, step: int) -> bool:
        """Whether the state after `step` steps is a draw to keep."""
        return self.num_draws > 0 and step > self.burn_in and (step - self.burn_in) % self.thinning == 0
