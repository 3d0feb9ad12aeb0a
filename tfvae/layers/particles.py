"""Several draws of a network's weights, run at once."""

import keras
import tensorflow as tf

from tfvae.probability import families


class Particles(keras.layers.Layer):
    """J networks of one shape and with weights of their own, [J, *shape] each, run in one vectorised pass.

    Args:
        copies: J built `Conditional`s of one shape. Their weights are where the particles begin; the structure of the
            first one is run.

    Raises:
        ValueError: if the networks have no weights, or a state besides them, such as batch normalisation's averages.
    """

    def __init__(self, copies, **kwargs):
        super().__init__(**kwargs)
        first = copies[0]
        if first.non_trainable_variables:
            kept = ", ".join(variable.path for variable in first.non_trainable_variables[:3])
            raise ValueError(
                f"Particles of parameters need networks whose variables are all trained, and {kept} is not. Set "
                "`model.parameter_particles=1`, or take a network without batch normalisation and given topics."
            )
        if not first.trainable_variables:
            raise ValueError("A decoder with nothing to learn has no particles: set `model.parameter_particles=1`.")
        self.num_particles, self.family = len(copies), first.family
        # Behind a function, so that Keras does not count the weights of the structure among ours.
        self._structure = lambda: first
        self.stacked = [self._stack(number, [copy.trainable_variables[number] for copy in copies])
                        for number in range(len(first.trainable_variables))]  # fmt: skip
        self.built = True

    def call(self, *parents, training=False):
        """p(child | parents, θ_j) of every particle: batch shape [J, ...], where a single network's is [...]."""
        return self.family.distribution(self.params(*parents, training=training))

    def params(self, *parents, training=False):
        """The networks' outputs: [J, ..., P]."""
        structure = self._structure()

        def of_one(weights):
            with keras.StatelessScope(state_mapping=list(zip(structure.trainable_variables, weights))):
                return structure.params(*parents, training=training)

        return tf.vectorized_map(of_one, [tf.convert_to_tensor(weights) for weights in self.stacked])

    def mixture(self, *parents):
        """(1/J) Σ_j p(child | parents, θ_j), the particles averaged out: batch shape [...]."""
        params = self.params(*parents)
        return families.equal_mixture(self.family.distribution(tf.stack(tf.unstack(params), axis=-2)))

    def _stack(self, number, variables):
        values = [keras.ops.convert_to_numpy(variable) for variable in variables]
        weights = self.add_weight(
            shape=[len(values), *values[0].shape], initializer="zeros", dtype=variables[0].dtype,
            name=f"{variables[0].path.rpartition('/')[2]}_{number}",
        )  # fmt: skip
        weights.assign(tf.stack(values))
        return weights
