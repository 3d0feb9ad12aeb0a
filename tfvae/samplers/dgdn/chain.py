"""What the three learners share: a first state, a running mean, the noise's ramp, and what a state is written as."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.samplers.dgdn import sweep
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Global, Local, Prior
from tfvae.samplers.learner import Learner


class Course(NamedTuple):
    """A chain's length.

    burn_in:      steps before the mean is taken and draws are kept.
    thinning:     steps from one kept draw to the next.
    num_draws:    draws kept as files.
    ramp_steps:   over which the largest noise precision rises, evenly in its logarithm.
    written:      which dictionaries the model is given: their `mean`, the `last`, or those that were `given` to it, so
        that nothing is learned.
    """

    burn_in: int = 0
    thinning: int = 1
    num_draws: int = 0
    ramp_steps: int = 0
    written: str = "mean"


class Mean(NamedTuple):
    """Of draws since the burn-in; the last draw before.

    shared: `Global` with γ_s = 1, as of `folded`.
    usual:  of every pooled layer [K, P], how often blocks had an outcome.
    """

    shared: Global
    usual: tuple[tf.Tensor, ...]


class Weights(Protocol):
    """The variables of the model that learns."""

    def read(self) -> Global:
        """Their values."""

    def write(self, shared: Global, usual: Sequence[tf.Tensor]) -> None:
        """Gives them values; `usual` as of `Mean`."""


class Sampler(Learner):
    """A learner of the deep deconvolutional model.

    Args:
        geometry: `Geometry`.
        prior: `Prior`.
        course: `Course`.
        info: `tfvae.batch.DataInfo`.
        num_classes: of the classifiers; 0 for none.
        num_images: N, of the training rows those that batches have.
        weights: `Weights`.
    """

    def __init__(
        self,
        geometry: Geometry,
        prior: Prior,
        course: Course,
        info: DataInfo,
        num_classes: int,
        num_images: int,
        weights: Weights,
    ) -> None:
        super().__init__(course.burn_in, course.thinning, course.num_draws)
        self.geometry, self.prior, self.course, self.info = geometry, prior, course, info
        self.num_classes, self.num_images, self.weights = num_classes, num_images, weights

    def most(self, steps: tf.Tensor) -> tf.Tensor | float:
        """The largest noise precision at a step: the prior's at the end of a ramp that begins at 1, or below."""
        last = self.prior.max_noise_precision
        if not self.course.ramp_steps or last <= 1.0:
            return last
        done = tf.minimum(tf.cast(steps, tf.float32) / self.course.ramp_steps, 1.0)
        return tf.exp(done * tf.math.log(last))

    def first_shared(self) -> Global:
        """`Global` of the model's variables, at a small noise precision."""
        shared = self.weights.read()
        return shared._replace(noise_precision=tf.constant(min(1.0, self.prior.max_noise_precision)))

    def first_mean(self, shared: Global) -> Mean:
        usual = tuple(
            tf.fill([count, outcomes], 1.0 / outcomes)
            for count, outcomes in zip(self.geometry.elements, self.geometry.outcomes)
        )
        return Mean(folded(shared), usual)

    def mean_after(self, mean: Mean, steps: tf.Tensor, shared: Global, maps: Sequence[tf.Tensor]) -> Mean:
        """`Mean` with the draw of a step, of which there are `steps` then."""
        usual = tuple(
            tf.reduce_mean(tf.one_hot(tf.cast(u, tf.int32), outcomes), axis=[0, 1, 2])
            for u, outcomes in zip(maps, self.geometry.outcomes)
        )
        weight = 1.0 / tf.cast(tf.maximum(steps - self.burn_in, 1), tf.float32)
        found = tf.nest.map_structure(lambda old, new: old + weight * (new - old), mean, Mean(folded(shared), usual))
        # A cluster may end and another begin under its number: those of the last draw are kept.
        return found._replace(shared=found.shared._replace(mixture=shared.mixture))

    def first_local(self, num: int, seed: tf.Tensor) -> Local:
        return sweep.first_local(self.geometry, num, seed, self.prior)

    def report(self, state: Any) -> dict[str, tf.Tensor]:
        shares = {f"moved_{layer}": state.moved[layer - 1] for layer in range(1, self.geometry.num_pooled + 1)}
        return {
            "squared_error": state.squared_error, "noise_precision": state.shared.noise_precision,
            "code_precision": state.shared.code_precision, **shares,
        }  # fmt: skip

    def write(self, state: Any) -> None:
        if self.course.written == "given":
            return
        shared = state.mean.shared if self.course.written == "mean" else folded(state.shared)
        self.weights.write(shared, state.mean.usual)

    def draw(self, state: Any) -> dict[str, tf.Tensor]:
        shared = folded(state.shared)
        found = {f"dictionary{layer}": d for layer, d in enumerate(shared.dictionaries, start=1)}
        found["noise_precision"] = shared.noise_precision
        if self.num_classes:
            found |= {"beta": shared.beta, "kappa": shared.kappa}
        if self.prior.tags:
            found["phi"] = shared.phi
        return found


def folded(shared: Global) -> Global:
    """The same model with codes of precision 1, as p(s) = N(0, I) has them: s √γ_s in the place of s."""
    scale = tf.math.rsqrt(shared.code_precision)
    *lower, highest = shared.dictionaries
    weights = tf.concat([shared.beta[:-1] * scale, shared.beta[-1:]], axis=0)
    return shared._replace(
        dictionaries=(*lower, highest * scale), beta=weights, code_precision=tf.ones_like(shared.code_precision)
    )
