"""The contract of a head: p(target | z), and what a model can be asked for because it has that."""

import abc
import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfvae.capabilities import Capability, Endpoint


class Head(keras.layers.Layer, abc.ABC):
    """p(target | z), for a target that is an entry of a batch: a `tfvae.capabilities.Part` of its model.

    A head gives `log_prob`, `num_outcomes`, `predict` and `answers`; the others where it has more to say.
    """

    @abc.abstractmethod
    def log_prob(self, z: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """log p(target | z), or what stands for it: [B], nats, for z [B, Z] and targets [B, ...]."""

    def surrogate(self, z: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Differentiated in the place of `log_prob`: [B], with its value and its slope."""
        return self.log_prob(z, target)

    def log_prior(self) -> tf.Tensor:
        """log p of the head's weights, a scalar in nats; 0 without a prior."""
        return tf.constant(0.0)

    @abc.abstractmethod
    def num_outcomes(self, target: tf.Tensor) -> int | tf.Tensor:
        """n in the target's weight ξ = w N_x / (n ρ): of how many a target is one, or is made of; an int, or [B]."""

    @abc.abstractmethod
    def predict(self, z: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        """The target by draws of the code, z [S, B, Z], averaged over."""

    @abc.abstractmethod
    def answers(self, model: Any) -> dict[str, Callable]:
        """As `Part.answers`; the model has `codes(image, num_samples, seed)`, draws [S, B, Z]."""

    def endpoints(self, model: Any) -> dict[str, Endpoint]:
        """As `Part.endpoints`; none beside those that every model has for its capabilities."""
        del model
        return {}

    def initialise(self) -> Any:
        """Gives the head what training begins with besides random weights."""


class LabelHead(Head):
    """p(y | z) of a label y, one of K classes.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes

    @abc.abstractmethod
    def predict(self, z: tf.Tensor) -> tf.Tensor:
        """Probabilities of the classes: z [S, B, Z] -> [B, K]."""

    def num_outcomes(self, target: tf.Tensor) -> int:
        """K, the number of classes."""
        del target
        return self.num_classes

    def answers(self, model: Any) -> dict[str, Callable]:
        return {Capability.CLASSIFY: functools.partial(self.classify, model)}

    def classify(self, model: Any, image: tf.Tensor, num_samples: int = 1, seed: tf.Tensor | None = None) -> tf.Tensor:
        """p(y | x) [B, K], averaged over draws of the code, or over what stands for them without a seed."""
        return self.predict(model.codes(image, num_samples, seed))
