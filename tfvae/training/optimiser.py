"""Adam as TensorFlow's fused operation, with the learning rate and clipping of the settings."""

import keras
import tensorflow as tf


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
        stair = tf.cast(tf.cast(tf.convert_to_tensor(step), tf.int64) // self.decay_steps, tf.float32)
        return tf.maximum(tf.constant(self.floor), self.initial * tf.pow(tf.constant(self.factor), stair))

    def get_config(self):
        return {
            "initial": self.initial,
            "factor": self.factor,
            "decay_steps": self.decay_steps,
            "floor": self.floor,
        }


class Adam(keras.optimizers.Adam):
    """Keras' Adam; all-float32 models are updated by one fused operation a variable, which reads memory once.

    Args:
        clip_norm: largest global norm of the gradients; 0 for no clipping. It is the norm of the sum over all
            replicas: Keras' own `global_clipnorm` clips each replica's share by itself, which is another update.

    Attributes:
        gets_shares: whether `apply` is given equal shares of the summed gradients already.
    """

    def __init__(self, learning_rate=1e-3, clip_norm=0.0, name="adam", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.clip_norm = clip_norm
        self.gets_shares = False
        self.fused = False

    def build(self, variables):
        super().build(variables)
        # Mixed types in the fused operation abort the process, so this is asked once and for all variables.
        self.fused = not self.amsgrad and all(v.dtype == "float32" for v in variables)

    def apply(self, grads, trainable_variables=None):
        if self.clip_norm:
            shares = list(grads) if self.gets_shares else _shares(grads)
            grads, _ = tf.clip_by_global_norm(shares, self.clip_norm / _num_replicas())
        super().apply(grads, trainable_variables)

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

    def get_config(self):
        return {**super().get_config(), "clip_norm": self.clip_norm}


class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling for float16, where the replicas agree on whether the gradients are finite.

    Keras asks the first replica alone, and sums the gradients afterwards: an overflow on another one would be applied.
    """

    def __init__(self, inner_optimizer, name="loss_scale", **kwargs):
        super().__init__(inner_optimizer, name=name, **kwargs)
        inner_optimizer.gets_shares = True

    def apply(self, grads, trainable_variables=None):
        super().apply(_shares(grads), trainable_variables)


def from_settings(settings, steps_per_epoch):
    """The optimiser of `tfvae.settings.Config`, to be made in the strategy's scope."""
    rate = float(settings.learning_rate)
    if settings.decay_factor != 1.0:
        decay_steps = settings.decay_epochs * steps_per_epoch
        rate = StaircaseDecay(rate, settings.decay_factor, decay_steps, settings.min_learning_rate)
    adam = Adam(rate, clip_norm=settings.clip_norm)
    return LossScale(adam) if settings.precision == "mixed_float16" else adam


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
