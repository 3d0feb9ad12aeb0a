"""A learner in the place of Keras' training step: its state in variables that checkpoints hold, its kept draws."""

import keras
import tensorflow as tf

from tfvae.probability import noise
from tfvae.storage import checkpoints


class Chain:
    """A chain that takes its steps in `fit`.

    Args:
        model: compiled without an optimiser; its `learner()` is the chain's.
        seed: of the first state.

    Attributes:
        variables: path within the state -> variable.
    """

    def __init__(self, model, seed):
        self.model = model
        self.learner = model.learner()
        state = self.learner.init(noise.seed(seed))
        self._structure = state
        self.variables = {path: tf.Variable(value, trainable=False) for path, value in _fields(state)}
        model.track(self.learner.report(state))
        model.train_function = self._train_function
        learner_step = self.learner.step
        if self.learner.compile_step:
            learner_step = tf.function(learner_step, jit_compile=True)

        def step(batch):
            state = learner_step(self.state, batch, model.step_seed())
            for variable, value in zip(self.variables.values(), tf.nest.flatten(state), strict=True):
                variable.assign(value)
            model.step.assign_add(1)
            return model.report(self.learner.report(state))

        self.step = tf.function(step)

    @property
    def state(self):
        return tf.nest.pack_sequence_as(self._structure, [tf.convert_to_tensor(v) for v in self.variables.values()])

    def write(self):
        """The model's variables as the learner sets them."""
        self.learner.write(self.state)

    def draw(self):
        """path -> array of the draw that the state is."""
        return checkpoints.values(self.learner.draw(self.state))

    def _train_function(self, iterator):
        return self.step(next(iterator))


class Draws(keras.callbacks.Callback):
    """Keeps draws, and gives the model its weights before an epoch is validated.

    Args:
        state: `TrainingState`.
        chain: `Chain`.
    """

    def __init__(self, state, chain):
        super().__init__()
        self.state = state
        self.chain = chain

    def on_train_batch_end(self, batch, logs=None):
        if self.chain.learner.keeps(self.state.step):
            self.state.draws.save(self.state.step, {"draw": self.chain.draw()})

    def on_epoch_end(self, epoch, logs=None):
        self.chain.write()


def _fields(state, prefix=""):
    """(path, tensor) of every field of a NamedTuple, and of those and the plain tuples in it, by their places."""
    for name, value in state._asdict().items() if hasattr(state, "_asdict") else enumerate(state):
        if isinstance(value, tuple):
            yield from _fields(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def check(settings):
    """Raises ValueError for settings that no chain has; called in the scope of the strategy."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas != 1 or settings.steps_per_execution != 1:
        raise ValueError(
            "A chain runs on one device, a step at a time: set `training.num_replicas=1` and "
            f"`training.steps_per_execution=1`, got {replicas} devices and {settings.steps_per_execution} steps."
        )
