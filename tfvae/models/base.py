"""The contract every model answers."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.batch import IMAGE, Batch, DataInfo
from tfvae.capabilities import Capability, Endpoint, Part, UndeclaredError
from tfvae.models import asked
from tfvae.models.players import Trainable
from tfvae.networks import dgdn, mlp, rendering
from tfvae.probability import noise
from tfvae.probability.families import Distribution

# Keeps the noise of a picture apart from that of the code it shows.
PICTURE_NOISE = 1


# What is asked of `tfvae.open(workdir)`, and has another name or none here.
_OF_RUNS = ("score", "test")


class Objective(NamedTuple):
    """The worth of one batch.

    loss:  scalar to minimise. A surrogate where the gradient estimator needs one, so never reported as a bound.
    terms: name -> [rows of its stream] values to report, in nats, signed as in the paper: a bound rises.
    """

    loss: tf.Tensor
    terms: dict[str, tf.Tensor]


class GenerativeModel(asked.TakesBatches, Trainable, abc.ABC):
    """A model that states its objective; the base trains, evaluates and reports it.

    A family gives `objective` and `sample`, declares in `capabilities` what else it can be asked for, and is given the
    training step, the metrics and the endpoints of what it declared.

    Args:
        info: `tfvae.batch.DataInfo`.
        seed: of all noise in training; equal seeds give equal runs.
        kl_warmup_steps: training steps over which the KL terms' weight rises from 0 to 1; 0 for none.
        compile_step: whether XLA compiles loss and gradients (the optimiser stays outside, where it is faster).
    """

    # Numbers in the largest activation of one row, by which an evaluation bounds its memory.
    widest_layer = 500
    # The name of p(x | ...) in `tfvae.probability.families`; None for one that has no name there.
    likelihood: str | None = None
    # Capability -> the setting that gives it, of those that a model of this family may be without.
    settings_of: ClassVar[dict[Capability, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in set(Capability) & set(vars(cls)):
            if callable(vars(cls)[name]):  # None says that a family does not answer what its parent does.
                setattr(cls, name, asked.answering(name, vars(cls)[name]))

    def __init__(
        self, info: DataInfo, *, seed: int = 0, kl_warmup_steps: int = 0, compile_step: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, compile_step=compile_step, **kwargs)
        self.info = info
        self.image_shape = tuple(info.image_shape)
        self.num_classes = info.num_classes
        self.kl_warmup_steps = kl_warmup_steps
        self._parts: list[Part] = []

    # What a family states.

    @abc.abstractmethod
    def objective(self, batch: Batch, seed: tf.Tensor, training: bool = False) -> Objective:
        """The family's equation on one batch of streams; `seed` is an int32 [2] tensor."""

    @abc.abstractmethod
    def sample(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """Pictures of draws from the model: [num, ...]."""

    def capabilities(self) -> frozenset[Capability]:
        """What this model can be asked for; of a family what it states, and what its parts bring."""
        brought = {name for part in self._parts for name in part.answers(self)}
        return frozenset({Capability.SAMPLE, *(capability for capability in Capability if capability in brought)})

    @property
    def title(self) -> str:
        """The model's name for people."""
        return type(self).__name__

    def supervised_network(self) -> mlp.Config | dgdn.Config | rendering.Config:
        """The network that a supervised rival of the same size has."""
        return mlp.Config(hidden=(500, 500))

    def transferable_variables(self) -> list[keras.Variable]:
        """The variables that are of use on other data; a head for other targets is not."""
        return self.variables

    def dispensable_variables(self) -> list[keras.Variable]:
        """Of the transferable variables those that a run of another kind has none of: they begin anew then."""
        return []

    def initialise(self, images: np.ndarray) -> None:
        """Sets what a training begins with besides random weights, such as word vectors from a file.

        Args:
            images: observations of some training rows, NumPy [N, *image_shape].
        """

    def begin_epoch(self, epoch: int, images: Callable[[], np.ndarray]) -> None:
        """Sets what a family sets between two epochs, such as clusters that begin from codes; most do nothing.

        Args:
            epoch: the one that begins, from 0. One that was interrupted does not begin again.
            images: gives observations of some training rows, NumPy [N, *image_shape], the same every time.
        """

    def endpoints(self) -> dict[str, Endpoint]:
        """What can be served; all functions take observations as the model sees them."""
        image = tf.TensorSpec([None, *self.image_shape], tf.float32, name=IMAGE)
        seed = tf.TensorSpec([None], tf.int64, name="seed")
        served: dict[str, tuple[Capability, Callable, list[tf.TensorSpec]]] = {
            "classify": (Capability.CLASSIFY, lambda image: {"probabilities": self.classify(image)}, [image]),
            "encode": (Capability.ENCODE, self._serve_encode, [image]),
            "reconstruct": (Capability.RECONSTRUCT, lambda image: {IMAGE: self.reconstruct(image)}, [image]),
            "sample": (Capability.SAMPLE, self._serve_sample, [seed]),
            "score": (Capability.BOUND, self._serve_score, [image, seed]),
        }
        of_model = {
            name: Endpoint(function, signature)
            for name, (capability, function, signature) in served.items()
            if self.can(capability)
        }
        return of_model | {name: found for part in self._parts for name, found in part.endpoints(self).items()}

    # What the base gives.

    def add_part(self, part: Part) -> None:
        """Takes what a part brings: its answers are methods of this model from now on, its endpoints are served."""
        self._parts.append(part)
        for name, answer in part.answers(self).items():
            setattr(self, name, asked.answering(name, answer, self))

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what neither the model nor its class has.
        if name not in set(Capability):
            advice = f"; a run has it: run.{name}(images)" if name in _OF_RUNS else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{advice}")
        raise self._undeclared(Capability(name))

    def can(self, capability: Capability) -> bool:
        """Whether this model has a `Capability`."""
        return capability in self.capabilities()

    def require(self, capability: Capability) -> None:
        """Checks a capability that some models of a class have and others do not.

        Raises:
            UndeclaredError: if this model does not declare it.
        """
        if not self.can(capability):
            raise self._undeclared(capability)

    def prepare(self, batch: Batch) -> "GenerativeModel":
        """Runs the objective once, eagerly: shape errors surface here, and every metric gets its name."""
        self.track(("loss", *self.objective(batch, noise.seed(self.seed)).terms))
        if set(self.players()) != {"model"}:
            self.track(self.names_of_terms(batch))
        self.built = True
        return self

    def call(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        return self.objective(batch, noise.seed(self.seed), training).terms

    def kl_weight(self, training: bool) -> tf.Tensor | float:
        """The temperature of the KL terms at this step (Maaløe et al. 2016, section 5); always 1 out of training."""
        return self.warmed_up(self.kl_warmup_steps, training)

    def test_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        objective = self.objective(batch, noise.seed(self.seed))
        return self.report({"loss": objective.loss, **objective.terms})

    def _undeclared(self, capability: Capability) -> UndeclaredError:
        setting, declared = self.settings_of.get(capability), ", ".join(sorted(self.capabilities()))
        advice = f"train one with {setting}." if setting else f"it answers {declared}."
        return UndeclaredError(f"This {self.title} does not answer `{capability}`: {advice}")

    def _serve_encode(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        q_z = self.encode(image)
        return {"mean": q_z.mean(), "stddev": q_z.stddev()}

    def _serve_sample(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return {IMAGE: by_row(lambda row_seed: self.sample(1, row_seed)[0], seed)}

    def _serve_score(self, image: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        bound = by_row(lambda row: self.log_prob_bound(row[0][None], num_samples=50, seed=row[1])[0], (image, seed))
        return {"bound": bound}


class LatentVariableModel(GenerativeModel, abc.ABC):
    """A model p(z) p(x | z, ...) with a recognition model q(z | x, ...): what it answers besides."""

    @abc.abstractmethod
    def encode(self, image: tf.Tensor) -> Distribution:
        """q(z | x) as a distribution with batch shape [B] for images [B, ...]."""

    @abc.abstractmethod
    def decode(self, z: tf.Tensor, **parents: tf.Tensor) -> Distribution:
        """p(x | z, ...) as a distribution over images."""

    @abc.abstractmethod
    def log_prob_bound(self, image: tf.Tensor, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Importance-weighted bound on log p(x): [B], nats."""

    @abc.abstractmethod
    def kl_per_unit(self, image: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """How far each latent unit is from its prior, {"z": [B, Z], ...} in nats (Maaløe et al. 2016, figure 4a)."""

    def capabilities(self) -> frozenset[Capability]:
        of_latents = {Capability.ENCODE, Capability.RECONSTRUCT, Capability.BOUND, Capability.KL_PER_UNIT}
        return super().capabilities() | of_latents

    def picture(self, p_x: Distribution, seed: tf.Tensor | None = None) -> tf.Tensor:
        """The picture that a distribution over images gives: its mean, [..., *image_shape].

        A decoder without a mean in closed form (autoregressive, a flow) overrides this and gives a draw, by `seed`.
        """
        del seed
        return p_x.mean()

    def reconstruct(self, image: tf.Tensor) -> tf.Tensor:
        """The picture of p(x | z) at the mean of q(z | x): [B, ...]."""
        return self.picture(self.decode(self.encode(image).mean()))


def by_row(function: Callable, rows: tf.Tensor | tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Maps over rows, each with the noise of its own int64 seed, so that no answer depends on its batch mates."""
    if isinstance(rows, tuple):
        *entries, seeds = rows
        return tf.map_fn(
            lambda row: function((*row[:-1], row[-1])), (*entries, row_seeds(seeds)), fn_output_signature=tf.float32
        )
    return tf.map_fn(function, row_seeds(rows), fn_output_signature=tf.float32)


def row_seeds(seeds: tf.Tensor) -> tf.Tensor:
    """int64 [B] -> int32 [B, 2]."""
    return tf.bitcast(seeds, tf.int32)


def all_images(batch: Batch) -> tf.Tensor:
    """Images of every stream in one tensor, for an objective that has no use for labels: [sum B_i, ...]."""
    return tf.concat(batches.images(batch), axis=0)
