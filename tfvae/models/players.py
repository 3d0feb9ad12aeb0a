"""The only training step in the package: a round, in which players take their steps in turn.

Most models have one player: one objective, one optimiser, all variables. Two networks with two objectives, or stages
that follow one another, are several.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.batch import Batch
from tfvae.probability import noise
from tfvae.samplers.learner import Learner


class Player(NamedTuple):
    """One who learns, with an optimiser of its own.

    objective: (batch, seed) -> `Objective`, whose loss it goes down; the batch is what `begin_round` returned.
    variables: those that it moves.
    steps:     of its optimiser in a round.
    begins:    the first round in which it plays, from 0.
    ends:      the round before which it stops; None for the end of training.
    reports_norm: whether the norm of its gradients, before any clipping, is reported, as `gradient_norm_<player>`.
    """

    objective: Callable
    variables: Sequence[keras.Variable]
    steps: int = 1
    begins: int = 0
    ends: int | None = None
    reports_norm: bool = False

    def plays(self, step: int) -> bool:
        """Whether it plays in round `step`."""
        return self.begins <= step and (self.ends is None or step < self.ends)

    def rounds(self, step: int) -> int:
        """In how many of the first `step` rounds it plays."""
        return max(0, (step if self.ends is None else min(step, self.ends)) - self.begins)


class Clock:
    """Counts rounds, in an object that Keras does not look into: checkpoints have it, files of weights do not.

    Attributes:
        variable: rounds done.
    """

    def __init__(self) -> None:
        self.variable = keras.Variable(0, dtype="int32", trainable=False, aggregation="only_first_replica", name="step")


class Trainable(keras.Model):
    """A Keras model that learns in rounds.

    Args:
        seed: of all noise in training; equal seeds give equal runs.
        compile_step: whether XLA compiles loss and gradients (the optimiser stays outside, where it is faster).
    """

    train_function: Any  # Keras' own name of what `fit` calls.

    def __init__(self, *, seed: int = 0, compile_step: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.compile_step = compile_step
        self._clock, self._begins = Clock(), 0
        self._optimisers: dict[str, keras.optimizers.Optimizer] = {}
        self._playing: tuple[str, ...] | None = None
        self._trackers: dict[str, keras.metrics.Mean] = {}

    # What a family states.

    def players(self) -> dict[str, Player]:
        """Who learns, in the order of their steps in a round."""
        return {
            "model": Player(lambda batch, seed: self.objective(batch, seed, training=True), self.trainable_variables)
        }

    def begin_round(self, batch: Batch, seed: tf.Tensor) -> Any:
        """What the players of a round share, made before the first of them steps: by default the batch.

        Args:
            batch: of the round.
            seed: of the round, int32 [2]; that of its first step too.
        """
        del seed
        return batch

    def learner(self) -> Learner | None:
        """The chain that this model is learned by; None for players, whose gradients `fit` follows."""
        return None

    # Time.

    @property
    def step(self) -> keras.Variable:
        """Rounds done, by which all goes that changes in training: noise, warm-ups, stages."""
        return self._clock.variable

    def follow(self, whole: "Trainable", begins: int = 0) -> None:
        """Makes this model a part of another, whose clock it reads: its own training begins at round `begins`."""
        self._clock, self._begins = whole._clock, begins

    def warmed_up(self, num_steps: int, training: bool, start: float = 0.0) -> tf.Tensor | float:
        """min(1, start + t / num_steps) at training step t; 1 out of training and for `num_steps` 0."""
        if not (training and num_steps):
            return 1.0
        step = tf.maximum(tf.convert_to_tensor(self.step) - self._begins, 0)
        return tf.minimum(1.0, start + tf.cast(step, tf.float32) / num_steps)

    def step_seed(self) -> tf.Tensor:
        """Noise of this round on this replica; a function of its number alone, so a resumed run repeats it."""
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        return noise.seed(self.seed, tf.convert_to_tensor(self.step), replica)

    # The step.

    @property
    def optimisers(self) -> dict[str, keras.optimizers.Optimizer]:
        """player -> its optimiser."""
        return dict(self._optimisers)

    def compile(
        self, optimizer: keras.optimizers.Optimizer | Mapping[str, keras.optimizers.Optimizer] | None, **kwargs: Any
    ) -> None:
        """Keras' `compile`; of several players `optimizer` is a dict with that of each, of a chain it is None.

        Raises:
            ValueError: if a player has no optimiser, an optimiser no player, or a stage would begin or end within a
                call of several steps.
        """
        if optimizer is None:
            super().compile(optimizer=None, **kwargs)
            return
        players = self.players()
        chosen = dict(optimizer) if isinstance(optimizer, dict) else dict.fromkeys(players, optimizer)
        if set(chosen) != set(players) or (len(players) > 1 and not isinstance(optimizer, dict)):
            raise ValueError(f"The players {list(players)} need an optimiser each, got {optimizer!r}.")
        first = next(iter(players))
        super().compile(optimizer=chosen[first], **kwargs)
        self._optimisers = {**{name: chosen[name] for name in players}, first: self.optimizer}
        for name, player in players.items():
            for round_of_change in (player.begins, player.ends or 0):
                if round_of_change % self.steps_per_execution:
                    raise ValueError(
                        f"The player {name!r} begins or ends at step {round_of_change}, within a call of "
                        f"{self.steps_per_execution} steps: set `training.steps_per_execution` to a divisor, or 1."
                    )

    def names_at(self, step: int) -> tuple[str, ...]:
        """Names of the players of round `step`.

        Raises:
            ValueError: if nobody plays.
        """
        return _names_at(step, self.players())

    def make_train_function(self, force: bool = False) -> None:
        """A compiled function for everyone who plays at a time, so that a stage pays for itself alone."""
        if not self._has_stages():
            super().make_train_function(force)
            return
        if self.train_function is not None and not force:
            return
        players, functions = self.players(), dict[tuple[str, ...], Callable]()

        def train_function(iterator: Any) -> dict[str, tf.Tensor]:
            names = _names_at(self._rounds_done(), players)
            if names not in functions:
                super(Trainable, self).make_train_function(force=True)
                functions[names], self.train_function = self.train_function, train_function
            self._playing = names  # Read when the function is traced, in this call or a later one.
            try:
                return functions[names](iterator)
            finally:
                self._playing = None

        self.train_function = train_function

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        return self.round(batch, self._playing)

    def round(
        self, batch: Batch, names: Sequence[str] | None = None, watch: Callable | None = None
    ) -> dict[str, tf.Tensor]:
        """One training step: the players step in turn, and the clock advances; returns the metrics.

        Args:
            batch: of streams.
            names: of those who play; None for those of this moment.
            watch: called as `watch(player, objective_of, variables)` before every step of one, with its name and
                seedless objective.

        Raises:
            ValueError: if a graph is made of a model with stages and nobody said of which.
        """
        seed, number = self.step_seed(), 0
        report: dict[str, tf.Tensor] = {}
        players = self.players()
        shared = self.begin_round(batch, seed)
        for name in names or self._names_now():
            player = players[name]
            gradients_of = self._loss_and_gradients(name, player, shared)
            for _ in range(player.steps):
                step_seed = noise.fold_in(seed, number) if number else seed
                if watch:
                    watch(name, lambda: player.objective(shared, step_seed), player.variables)  # noqa: B023
                objective, gradients = gradients_of(step_seed)
                self._optimisers[name].apply(gradients, player.variables)
                norm = {f"gradient_norm_{name}": tf.linalg.global_norm(gradients)} if player.reports_norm else {}
                report |= self.report({self._loss_name(name): objective.loss, **objective.terms, **norm})
                number += 1
        self.step.assign_add(1)
        return report

    def _loss_and_gradients(self, name: str, player: Player, shared: Any) -> Callable:
        """seed -> (`Objective`, gradients of the scaled loss) of one player."""

        def loss_and_gradients(seed: tf.Tensor) -> tuple[Any, list[tf.Tensor]]:
            with tf.GradientTape() as tape:
                objective = player.objective(shared, seed)
                # Replicas sum their gradients, so each contributes its share of the mean.
                loss = objective.loss / tf.distribute.get_strategy().num_replicas_in_sync
                scaled_loss = self._optimisers[name].scale_loss(loss)
            return objective, tape.gradient(scaled_loss, player.variables)

        return tf.function(loss_and_gradients, jit_compile=True) if self.compile_step else loss_and_gradients

    def _rounds_done(self) -> int:
        return int(keras.ops.convert_to_numpy(self.step))

    def _has_stages(self) -> bool:
        return any(player.begins or player.ends is not None for player in self.players().values())

    def _names_now(self) -> tuple[str, ...]:
        if not self._has_stages():
            return tuple(self.players())
        if not tf.executing_eagerly():
            raise ValueError(
                f"{type(self).__name__} learns in stages, so a graph of its step is one of a stage: name who plays, as "
                "in `round(batch, names_at(step))`."
            )
        return self.names_at(self._rounds_done())

    # Metrics.

    def track(self, names: Iterable[str]) -> None:
        """Makes a running mean of every name that has none yet."""
        self._trackers = {
            **self._trackers, **{name: keras.metrics.Mean(name) for name in names if name not in self._trackers}
        }  # fmt: skip

    def names_of_terms(self, batch: Batch) -> list[str]:
        """Names that rounds report: losses and terms of all players, found without a step."""
        players, seed = self.players(), noise.seed(self.seed)

        @tf.function(autograph=False)  # As in `fit`.
        def terms() -> dict[str, dict[str, tf.Tensor]]:
            shared = self.begin_round(batch, seed)
            return {name: player.objective(shared, seed).terms for name, player in players.items()}

        found = terms.get_concrete_function().structured_outputs
        norms = [f"gradient_norm_{name}" for name, player in players.items() if player.reports_norm]
        return [*map(self._loss_name, players), *(term for of_player in found.values() for term in of_player), *norms]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._trackers.values())

    def _loss_name(self, player: str) -> str:
        return "loss" if len(self.players()) == 1 else f"loss_{player}"

    def report(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Takes the values of a step into their running means; returns those of this step's names.

        A term that these streams do not have has no mean, rather than a mean of 0.
        """
        for name, value in values.items():
            self._trackers[name].update_state(value)
        return {name: self._trackers[name].result() for name in values}


def _names_at(step: int, players: Mapping[str, Player]) -> tuple[str, ...]:
    names = tuple(name for name, player in players.items() if player.plays(step))
    if not names:
        raise ValueError(f"None of the players {list(players)} plays in round {step}.")
    return names
