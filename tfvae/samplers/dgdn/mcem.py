"""Monte Carlo EM: local variables by Gibbs draws, dictionaries and classifiers by RMSprop.

    Q(Ψ) = ln p(Ψ) + (N / |I|) (1 / N_s) Σ_s Σ_{n ∈ I} ln p(x_n, y_n | Φ_n^s, Ψ),   Ψ = (D, β, κ)

Equation (3.38) has no N / |I| before the sum over a minibatch; with it the gradient is that of (3.37) in the mean.

Pu 2017, eqs. (3.37) and (3.38).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.batch import Batch
from tfvae.probability import noise
from tfvae.samplers.dgdn import observed, svm, sweep
from tfvae.samplers.dgdn.chain import Mean, Sampler
from tfvae.samplers.dgdn.state import Data, Global, Local

# Added to the root of the mean square by which RMSprop divides.
_EPSILON = 1e-6
_LEAST = 1e-12


class State(NamedTuple):
    """Where EM is; fields as of `tfvae.samplers.dgdn.gibbs.State`, and

    local:        `Local` of all training images, so that a chain goes on where an image is seen again.
    mean_squares: of gradients, of every dictionary, β and log κ: RMSprop's.
    code_square:  [], running mean of s².
    objective:    [], Q / N without constants, nats an image.
    """

    shared: Global
    local: Local
    mean_squares: tuple[tf.Tensor, ...]
    code_square: tf.Tensor
    mean: Mean
    steps: tf.Tensor
    moved: tf.Tensor
    squared_error: tf.Tensor
    objective: tf.Tensor


class Mcem(Sampler):
    """The learner.

    Args:
        num_samples: N_s, draws of the E-step.
        maximisation_steps: of RMSprop on them.
        learning_rate: of these.
        decay: of RMSprop's mean squares.
        scaled: whether the sum over a minibatch is multiplied by N / |I|.
        *args: as of `Sampler`.
    """

    def __init__(
        self,
        *args: Any,
        num_samples: int = 2,
        maximisation_steps: int = 5,
        learning_rate: float = 0.02,
        decay: float = 0.95,
        scaled: bool = True,
    ) -> None:
        super().__init__(*args)
        self.num_samples, self.maximisation_steps = num_samples, maximisation_steps
        self.learning_rate, self.decay, self.scaled = learning_rate, decay, scaled

    def init(self, seed: tf.Tensor) -> State:
        shared = self.first_shared()
        return State(
            shared, self.first_local(self.info.num_train, seed),
            tuple(tf.zeros_like(parameter) for parameter in _parameters(shared)), tf.constant(1.0),
            self.first_mean(shared), tf.constant(0), tf.zeros([self.geometry.num_pooled]), tf.constant(0.0),
            tf.constant(0.0),
        )  # fmt: skip

    def step(self, state: State, batch: Batch, seed: tf.Tensor) -> State:
        data, rows = observed.data_of(batch, self.num_classes), observed.rows_of(batch)
        local = tf.nest.map_structure(lambda of_all: tf.gather(of_all, rows), state.local)
        *local_seeds, pull_seed = noise.split(seed, self.num_samples + 1)
        draws = []
        for local_seed in local_seeds:
            local, moved, _ = sweep.local_sweep_in_chunks(
                self.geometry, self.prior, state.shared, local, data, local_seed
            )
            draws.append(local)
        draws = tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *draws)
        data = tf.nest.map_structure(lambda of: tf.tile(of, [self.num_samples, *[1] * (of.shape.rank - 1)]), data)
        pulls = svm.pulls(draws.code, data, state.shared, self.prior, pull_seed)
        shared, code_square = self.precisions_after(state, draws, data)
        shared, mean_squares, objective = self.maximise(shared, state.mean_squares, draws, data, pulls)
        residual = sweep.residual_of(self.geometry, shared, draws, data)
        kept = tf.nest.map_structure(
            lambda of_all, now: tf.tensor_scatter_nd_update(of_all, rows[:, None], now), state.local, local
        )
        steps = state.steps + 1
        mean = self.mean_after(state.mean, steps, shared, local.maps)
        error = tf.reduce_mean(residual**2)
        return State(shared, kept, mean_squares, code_square, mean, steps, moved, error, objective)

    def precisions_after(self, state: State, draws: Local, data: Data) -> tuple[Global, tf.Tensor]:
        """(`Global` with the most probable precisions, running mean of s²).

        γ_e by the residual of the draws, γ_s by a running mean, because a minibatch has few codes.
        """
        error = tf.reduce_mean(sweep.residual_of(self.geometry, state.shared, draws, data) ** 2)
        code_square = self.decay * state.code_square + (1.0 - self.decay) * tf.reduce_mean(draws.code**2)
        noise_precision = tf.minimum(1.0 / (error + _LEAST), self.most(state.steps))
        shared = state.shared._replace(noise_precision=noise_precision, code_precision=1.0 / (code_square + _LEAST))
        return shared, code_square

    def maximise(
        self, shared: Global, mean_squares: tuple[tf.Tensor, ...], draws: Local, data: Data, pulls: svm.Pulls
    ) -> tuple[Global, tuple[tf.Tensor, ...], tf.Tensor]:
        """RMSprop's steps up Q at draws: (`Global`, mean squares, Q / N before the first of them)."""
        objectives = []
        for _ in range(self.maximisation_steps):
            parameters = _parameters(shared)
            with tf.GradientTape() as tape:
                tape.watch(parameters)
                value = self.objective(_with_parameters(shared, parameters), draws, data, pulls)
            gradients = tape.gradient(value, parameters)
            gradients = [tf.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters)]
            objectives.append(value / self.num_images)
            mean_squares = tuple(self.decay * v + (1.0 - self.decay) * g**2 for v, g in zip(mean_squares, gradients))
            moved = [
                p + self.learning_rate * g / (tf.sqrt(v) + _EPSILON)
                for p, g, v in zip(parameters, gradients, mean_squares)
            ]
            shared = _with_parameters(shared, moved)
        return shared, mean_squares, objectives[0]

    def objective(self, shared: Global, draws: Local, data: Data, pulls: svm.Pulls) -> tf.Tensor:
        """Q(Ψ) up to a constant, of draws of one minibatch: a scalar, nats."""
        residual = sweep.residual_of(self.geometry, shared, draws, data)
        pixels = float(self.geometry.num_pixels)
        log_p = 0.5 * pixels * tf.math.log(shared.noise_precision)
        log_p -= 0.5 * shared.noise_precision * tf.reduce_sum(residual**2, axis=[1, 2, 3])
        if self.num_classes:
            distance = svm.decision(draws.code, shared.beta) - pulls.target
            log_p -= 0.5 * tf.reduce_sum(pulls.weight * distance**2, axis=-1)
        of_data = tf.reduce_mean(log_p) if self.scaled else tf.reduce_sum(log_p) / self.num_samples
        return (self.num_images if self.scaled else 1.0) * of_data + self.log_prior(shared)

    def log_prior(self, shared: Global) -> tf.Tensor:
        """ln p(D) + ln p(β, κ) up to a constant, ω summed out: β has a Laplace prior of rate √(2κ)."""
        log_p = -0.5 * tf.add_n([tf.reduce_sum(d**2) for d in shared.dictionaries])
        if self.num_classes:
            rate, (a, b) = tf.sqrt(2.0 * shared.kappa), self.prior.kappa
            log_p += tf.reduce_sum(tf.math.log(0.5 * rate) - rate * tf.abs(shared.beta))
            log_p += (a - 1.0) * tf.math.log(shared.kappa) - b * shared.kappa
        return log_p

    def report(self, state: State) -> dict[str, tf.Tensor]:
        return {**super().report(state), "objective": state.objective}


def _parameters(shared: Global) -> list[tf.Tensor]:
    """Ψ as a list of tensors: the dictionaries, β and log κ."""
    return [*shared.dictionaries, shared.beta, tf.math.log(shared.kappa)]


def _with_parameters(shared: Global, parameters: Sequence[tf.Tensor]) -> Global:
    *dictionaries, beta, log_kappa = parameters
    return shared._replace(dictionaries=tuple(dictionaries), beta=beta, kappa=tf.exp(log_kappa))
