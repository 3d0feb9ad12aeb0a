"""Optimisers with the learning rate, decay and clipping of the settings; Adam is TensorFlow's fused operation."""

import keras
import numpy as np
import tensorflow as tf
from absl import logging


class StaircaseDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The rate is multiplied by `factor` every `decay_steps` steps, down to `floor`.

    Args:
        initial: rate of the first step.
        factor: of one stair, in (0, 1].
        decay_steps: training steps a stair.
        floor: the lowest rate; an initial rate below it stays as it is.
    """

    def __init__(self, initial, factor, decay_steps, floor=0.0):
        self.initial = initial
        self.factor = factor
        self.decay_steps = decay_steps
        self.floor = min(floor, initial)

    def __call__(self, step):
        return tf.maximum(tf.constant(self.floor), self.initial * tf.pow(tf.constant(self.factor), self._stairs(step)))

    def _stairs(self, step):
        return tf.cast(tf.cast(tf.convert_to_tensor(step), tf.int64) // self.decay_steps, tf.float32)

    def get_config(self):
        return {
            "initial": self.initial,
            "factor": self.factor,
            "decay_steps": self.decay_steps,
            "floor": self.floor,
        }


class ExponentialDecay(StaircaseDecay):
    """max(floor, initial · factor^(t / decay_steps)): the staircase without its stairs."""

    def _stairs(self, step):
        return tf.cast(tf.convert_to_tensor(step), tf.float32) / self.decay_steps


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """initial + (final − initial) · min(1, t / num_steps).

    Args:
        initial: rate of the first step.
        final: rate after `num_steps` steps; an initial rate below it stays as it is.
        num_steps: training steps.
    """

    def __init__(self, initial, final, num_steps):
        self.initial = initial
        self.final = min(final, initial)
        self.num_steps = num_steps

    def __call__(self, step):
        done = tf.cast(tf.convert_to_tensor(step), tf.float32) / self.num_steps
        return self.final + (self.initial - self.final) * self._left(tf.minimum(1.0, done))

    def _left(self, done):
        """How much of the way from the last rate to the first is left: [] in [0, 1]."""
        return 1.0 - done

    def get_config(self):
        return {"initial": self.initial, "final": self.final, "num_steps": self.num_steps}


class CosineDecay(LinearDecay):
    """final + (initial − final) · ½ (1 + cos(π min(1, t / num_steps))), Loshchilov & Hutter 2017 without restarts."""

    def _left(self, done):
        return 0.5 * (1.0 + tf.cos(np.pi * done))


class Clipping:
    """What every optimiser here does before its own update.

    Args:
        clip_norm: largest global norm of the gradients; 0 for no clipping. It is the norm of the sum over all
            replicas: Keras' own `global_clipnorm` clips each replica's share by itself, which is another update.

    Attributes:
        gets_shares: whether `apply` is given equal shares of the summed gradients already.
    """

    def __init__(self, *args, clip_norm=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip_norm = clip_norm
        self.gets_shares = False

    def apply(self, grads, trainable_variables=None):
        if self.clip_norm:
            shares = list(grads) if self.gets_shares else _shares(grads)
            grads, _ = tf.clip_by_global_norm(shares, self.clip_norm / _num_replicas())
        super().apply(grads, trainable_variables)

    def get_config(self):
        return {**super().get_config(), "clip_norm": self.clip_norm}


class Adam(Clipping, keras.optimizers.Adam):
    """Keras' Adam; all-float32 models are updated by one fused operation a variable, which reads memory once."""

    def __init__(self, learning_rate=1e-3, clip_norm=0.0, name="adam", **kwargs):
        super().__init__(learning_rate=learning_rate, clip_norm=clip_norm, name=name, **kwargs)
        self.fused = False

    def build(self, variables):
        super().build(variables)
        # Mixed types in the fused operation abort the process, so this is asked once and for all variables.
        self.fused = not self.amsgrad and all(v.dtype == "float32" for v in variables)

    def update_step(self, gradient, variable, learning_rate):
        if not self.fused or isinstance(gradient, tf.IndexedSlices) or gradient.dtype != tf.float32:
            return super().update_step(gradient, variable, learning_rate)
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1), step),
            beta2_power=tf.pow(tf.constant(self.beta_2), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class SGD(Clipping, keras.optimizers.SGD):
    """v ← μ v − η g,  θ ← θ + v: the heavy ball of Polyak 1964; μ = 0 is plain gradient descent."""

    def __init__(self, learning_rate=1e-2, momentum=0.9, clip_norm=0.0, name="sgd", **kwargs):
        super().__init__(learning_rate=learning_rate, momentum=momentum, clip_norm=clip_norm, name=name, **kwargs)


class RMSprop(Clipping, keras.optimizers.Optimizer):
    """RMSprop with Nesterov's momentum.

    With g the gradient at θ, all operations element by element,

        r ← ρ r + (1 − ρ) g²          the running mean square (Tieleman & Hinton 2012),
        s = η g / √(r + ε)            the plain step of RMSprop,
        v ← μ v − s
        θ ← θ + μ v − s               Nesterov's look ahead, in the variables of Bengio et al. 2013, eq. (7).

    Keras' RMSprop has a heavy ball in the last line's place, θ ← θ + v; μ = 0 is plain RMSprop in both.

    Args:
        learning_rate: η.
        rho: ρ.
        momentum: μ.
        epsilon: ε, within the root as in Keras.
        clip_norm: as in `Clipping`.
    """

    def __init__(
        self, learning_rate=1e-3, rho=0.9, momentum=0.9, epsilon=1e-7, clip_norm=0.0, name="rmsprop", **kwargs
    ):
        super().__init__(learning_rate=learning_rate, clip_norm=clip_norm, name=name, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        r, v = self._velocities[index], self._momentums[index]
        rate, gradient = keras.ops.cast(learning_rate, variable.dtype), keras.ops.cast(gradient, variable.dtype)
        self.assign(r, self.rho * r + (1.0 - self.rho) * keras.ops.square(gradient))
        step = rate * gradient / keras.ops.sqrt(r + self.epsilon)
        self.assign(v, self.momentum * v - step)
        self.assign_add(variable, self.momentum * v - step)

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling for float16, where the replicas agree on whether the gradients are finite.

    Keras asks the first replica alone, and sums the gradients afterwards: an overflow on another one would be applied.
    """

    def __init__(self, inner_optimizer, name="loss_scale", **kwargs):
        super().__init__(inner_optimizer, name=name, **kwargs)
        inner_optimizer.gets_shares = True

    def apply(self, grads, trainable_variables=None):
        super().apply(_shares(grads), trainable_variables)


def from_settings(settings, steps_per_epoch, steps=1, rounds=None):
    """The optimiser of `tfvae.settings.Config`, to be made in the strategy's scope.

    Args:
        settings: of the player, where there are several: `settings.of_player(name)`.
        steps_per_epoch: training steps an epoch.
        steps: of this optimiser in one of them.
        rounds: training steps in which it is used, over which a linear or cosine decay goes; None for all epochs.
    """
    rounds = settings.epochs * steps_per_epoch if rounds is None else rounds
    rate = _rate(settings, steps * steps_per_epoch, max(1, steps * rounds))
    of_all = {"clip_norm": settings.clip_norm, "weight_decay": settings.weight_decay or None}
    if settings.optimiser == "adam":
        chosen = Adam(rate, **of_all)
    else:
        kind = {"rmsprop": RMSprop, "sgd": SGD}[settings.optimiser]
        chosen = kind(rate, momentum=settings.momentum, **of_all)
    return LossScale(chosen) if settings.precision == "mixed_float16" else chosen


def of_players(settings, steps_per_epoch, players):
    """The optimiser of every player, built.

    Raises:
        ValueError: for settings of a player that the model does not have.
    """
    unknown = sorted(set(settings.players) - set(players))
    if unknown:
        raise ValueError(f"`training.players` has settings of {unknown}; this model has the players {list(players)}.")
    made = {}
    for name, player in players.items():
        rounds = player.rounds(settings.epochs * steps_per_epoch)
        if not rounds:
            logging.warning(
                "The player %r begins at step %d and never learns: there are %d epochs of %d steps.",
                name, player.begins, settings.epochs, steps_per_epoch,
            )  # fmt: skip
        made[name] = from_settings(settings.of_player(name), steps_per_epoch, player.steps, rounds)
        without_decay = [v for v in player.variables if not v.path.endswith("kernel")]
        getattr(made[name], "inner_optimizer", made[name]).exclude_from_weight_decay(without_decay)
        made[name].build(player.variables)
    return made


def learning_rates(model):
    """The rates of this moment: `learning_rate`, and with several players `learning_rate_<player>` of each."""
    rates = {name: float(keras.ops.convert_to_numpy(its.learning_rate)) for name, its in model.optimisers.items()}
    if len(rates) == 1:
        return {"learning_rate": next(iter(rates.values()))}
    return {f"learning_rate_{name}": rate for name, rate in rates.items()}


def _rate(settings, steps_per_epoch, num_steps):
    """The learning rate, or its schedule over the steps of an optimiser."""
    first, last = float(settings.learning_rate), float(settings.min_learning_rate)
    if settings.decay == "linear":
        return LinearDecay(first, last, num_steps)
    if settings.decay == "cosine":
        return CosineDecay(first, last, num_steps)
    if settings.decay_factor == 1.0:
        return first
    kind = ExponentialDecay if settings.decay == "exponential" else StaircaseDecay
    return kind(first, settings.decay_factor, settings.decay_epochs * steps_per_epoch, last)


def _shares(grads):
    """Equal shares of the sum of all replicas' gradients, which the base sums once more."""
    grads = list(grads)
    if _num_replicas() == 1:
        return grads
    given = [i for i, gradient in enumerate(grads) if gradient is not None]
    dense = [tf.convert_to_tensor(grads[i]) for i in given]
    summed = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, dense)
    for i, gradient in zip(given, summed, strict=True):
        grads[i] = gradient / _num_replicas()
    return grads


def _num_replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync
