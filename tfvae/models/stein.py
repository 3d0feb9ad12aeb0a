"""p(z) p(x | z), and p(y | z) where there are labels, with an encoder z = f(x, ξ) that learns from Stein's direction.

Pu 2017, chapter 4: Stein VAE and, with importance weights, Stein VIWAE.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import LABEL, LABELLED
from tfvae.capabilities import Capability
from tfvae.heads import targets
from tfvae.heads.softmax import Softmax
from tfvae.inference import stein
from tfvae.layers.particles import Particles
from tfvae.models.base import PICTURE_NOISE, Objective, all_images
from tfvae.models.players import Player
from tfvae.models.vae import OneCodeModel, gaussian_kl_per_unit
from tfvae.models.with_heads import ModelWithHeads
from tfvae.networks import mlp
from tfvae.networks.implicit import Skip
from tfvae.probability import families, kernels, noise

INFERENCES = ("stein", "stein_importance")
OWN = ("in", "out")
# What the encoder and a head for labels ask of a network besides.
_NETWORK = ranges.NETWORK._replace(answers=(*ranges.NETWORK.answers, "implicit", "label_network"))

# The draws of ξ behind what is asked of the model without a seed: the same every time.
_FIXED_DRAWS = 7


@dataclasses.dataclass
class Config:
    """Stein VAE.

    Args:
        latent_dim: Z.
        network: of encoder and decoder alike, and the prior; a config of `tfvae.networks`. The source's dropout, whose
            rate it does not print, is not there.
        likelihood: `bernoulli`, `gaussian`, `discretised_logistic` or, of counts, `poisson`.
        inference: `stein`, or `stein_importance`, whose particles weigh by p(x, z) / q(z); the source has M sets of k
            particles and averages their weights (eq. 4.43), here is one set of M.
        own: whether a particle's own score is in its direction: `in`, as eq. (4.12) prints it, or `out`. The encoder
            draws its particles anew, so its own score narrows it (`tfvae.probability.svgd`): `in` is for comparison.
        antithetic: half of the draws of ξ are the mirror images of the others; with `own="out"` a particle's mirror
            image is left out of its direction too. Not in the source.
        skip: z = f(x, ξ) + softplus(a(x)) ξ, by which noise reaches every unit from the first step on. Not in the
            source.
        encoder_apart: the encoder and the decoders are clipped by norms of their own, as two players.
        num_samples: M, particles of a code; two at least, four where they are antithetic, one with `own="in"`.
        kernel: `rbf` or `imq`.
        bandwidth: a rule of `tfvae.probability.kernels.bandwidth`: `median`, as the source's "median of pairwise
            distances" is read, of squared ones, or `median/log`.
        step_size: ε of a step of the particles.
        encoder_steps: K, steps of the encoder towards the moved particles; with more than one, the encoder and the
            decoders are two players, `encoder` and `decoders`, each with its own optimiser and clipping.
        parameter_particles: J, particles of the decoders' parameters; 1 is a point estimate. They have equal weights,
            so they go with `stein` alone.
        prior_variance: of N(0, v I), the prior of the decoders' parameters; 0 for none.
        label_weight: times N_x / (C ρ) it is the weight ζ of a label; 0 for a model without labels.
        target_scale: how N_x is read: `dimensions`, H·W·C, as the source prints it; or `pixels`, H·W.
        weigh_prior: whether the prior of a head's weights is multiplied by ζ too, as in tfvae 0.1.
    """

    latent_dim: int = ranges.field(50, ranges.WIDTHS)
    network: Any = ranges.field(allowed=_NETWORK, factory=lambda: mlp.Config(hidden=(200, 200), activation="tanh"))
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    inference: str = ranges.field("stein", ranges.Choices(INFERENCES))
    own: str = ranges.field("out", ranges.Choices(OWN))
    antithetic: bool = False
    skip: bool = False
    encoder_apart: bool = False
    num_samples: int = ranges.field(100, ranges.DRAWS)
    kernel: str = ranges.field("rbf", ranges.Choices(kernels.KERNELS))
    bandwidth: str = ranges.field("median", ranges.Choices(kernels.BANDWIDTHS))
    step_size: float = ranges.field(1e-3, ranges.POSITIVE)
    encoder_steps: int = ranges.field(1, ranges.Interval(1, 100_000))
    parameter_particles: int = ranges.field(1, ranges.Interval(1, 10_000))
    prior_variance: float = ranges.field(1.0, ranges.POSITIVE._replace(besides=(0,)))
    label_weight: float = ranges.field(0.0, ranges.WEIGHTS)
    target_scale: str = ranges.field("dimensions", ranges.Choices(targets.TARGET_SCALES))
    weigh_prior: bool = False

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        least = (4 if self.antithetic else 2) if self.own == "out" else (2 if self.antithetic else 1)
        if self.num_samples < least or (self.antithetic and self.num_samples % 2):
            raise ValueError(
                f"`model.num_samples` must be at least {least} with own={self.own!r} and antithetic={self.antithetic}, "
                f"and even for antithetic draws, got {self.num_samples}."
            )
        if self.parameter_particles > 1 and self.inference == "stein_importance":
            raise ValueError(
                "Particles of parameters have no importance weights here: set `model.inference=stein` or "
                "`model.parameter_particles=1`."
            )

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "set `model.label_weight=0`"} if self.label_weight else {}

    def build(self, info, seed=0):
        return SteinVAE(self, info, seed)


class SteinVAE(OneCodeModel, ModelWithHeads):
    """A VAE whose q(z | x) is known by its draws alone, and whose decoder may be too.

    A training step moves the M codes of every image by ε φ, Stein's direction towards p(z | x, θ); then

        the encoder goes down   ½ mean_x (1/M) Σ_m ‖f(x, ξ_m) − z'_m‖²,   z'_m = z_m + ε φ(z_m)      (eq. 4.13),
        the decoders go up      mean_x (1/M) Σ_m [ log p(x | z'_m, θ) + ζ log p(y | z'_m, θ~) ]
                                + log p(θ) / N + log p(θ~) ζ ρ / N_l,

    each by its own parameters, so that one loss is the sum of both. With J > 1 particles the gradients of θ_j and of
    θ~_j are replaced by Stein's directions towards p(θ | D) and p(θ~ | D_l), eqs. (4.11) and (4.50); codes see the mean
    of log p(x | z, θ_j) over j, eq. (4.44). The draws ξ_m are shared by all images.
    """

    settings_of: ClassVar = {Capability.CLASSIFY: "`model.label_weight` above 0"}

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        super().__init__(info, seed=seed, target_scale=config.target_scale, weigh_prior=config.weigh_prior, **kwargs)
        _check(config, info)
        self.config, self.likelihood = config, config.likelihood
        net, z, shape = config.network, config.latent_dim, tuple(info.image_shape)
        self.p_z, self.p_xi = net.prior(z), families.standard_normal(z)
        self.p_x_given_z = self._decoder(z, shape, config.likelihood)
        self.encoder = net.implicit("q_z_implicit", shape, z)
        if config.skip:
            self.encoder = Skip(self.encoder, int(np.prod(shape)), name="q_z_skip")
        self.widest_layer = max(self.encoder.widest, config.num_samples * self.encoder.units)
        if config.label_weight:
            classes = info.num_classes
            network = net.label_network(z, classes)
            head = Softmax(z, classes, config.parameter_particles, network, name="label_softmax")
            self.add_head(LABEL, head, config.label_weight)

    @property
    def one_decoder(self):
        return self.config.parameter_particles == 1

    def capabilities(self):
        return super().capabilities() | {Capability.STEIN_DISCREPANCY}

    def objective(self, batch, seed, training=False):
        if not training:  # Where nothing is learned nothing is moved: a label would leak into its own prediction.
            return self._evaluated(batch, seed)
        return self._losses_at(batch, seed, self._svgd_step(batch, seed))

    def players(self):
        """One for both losses; where the encoder takes K steps a round towards the same moved particles, one each."""
        if not self._two_players:
            return super().players()
        decoders = [variable for group in self._groups() for variable in group.variables]
        encoder = self.encoder.trainable_variables
        return {
            "encoder": Player(
                lambda shared, _: Objective(self._distance(*shared), {}), encoder, self.config.encoder_steps
            ),
            "decoders": Player(lambda shared, _: self._decoder_objective(shared[0], shared[2]), decoders),
        }

    @property
    def _two_players(self):
        return self.config.encoder_steps > 1 or self.config.encoder_apart

    def begin_round(self, batch, seed):
        if not self._two_players:
            return batch
        return batch, seed, self._svgd_step(batch, seed)

    def codes(self, image, num_samples=1, seed=None, training=False):
        """Draws of z, [S, B, Z]; without a seed M fixed ones, two at least."""
        if seed is None:
            num_samples, seed = max(2, self.config.num_samples), noise.seed(_FIXED_DRAWS)
        return self.encoder(image, self.p_xi.sample(num_samples, seed=seed), training=training)

    def _svgd_step(self, batch, seed):
        """z' = z + ε φ(z): [S, B, Z], without gradient."""
        image, config = all_images(batch), self.config

        def log_joint(z):
            # Not in training mode: batch statistics would tie the particles of one image to those of another.
            log_p = self._log_p_image(z, image) + self.p_z.log_prob(z)
            return log_p + tf.reshape(self._log_p_targets(z, batch).value, tf.shape(log_p))

        xi = self._xi(seed)
        z, log_q = self.encoder(image, xi, training=True), None
        if config.inference == "stein_importance":
            log_q = self._with_density(image, xi)[1]
            # Weights are p(x, z) / q(z) (eq. 4.43): with ζ log p(y | z) in them, one particle would have them all.
            log_q += tf.reshape(self._log_p_targets(tf.stop_gradient(z), batch).value, tf.shape(log_q))
        kernel = kernels.KERNELS[config.kernel]
        own = "pair_out" if config.antithetic and config.own == "out" else config.own
        phi, _ = stein.directions(log_joint, z, kernel, config.bandwidth, log_q, compiled=True, own=own)
        return tf.stop_gradient(z) + config.step_size * phi

    def _xi(self, seed):
        """The draws of ξ of a training step, [M, Z]: the second half the mirror image of the first where antithetic."""
        if not self.config.antithetic:
            return self.p_xi.sample(self.config.num_samples, seed=seed)
        xi = self.p_xi.sample(self.config.num_samples // 2, seed=seed)
        return tf.concat([xi, -xi], axis=0)

    def _distance(self, batch, seed, moved):
        """½ mean_x (1/M) Σ_m ‖f(x, ξ_m) − z'_m‖² (eq. 4.13)."""
        z = self.encoder(all_images(batch), self._xi(seed), training=True)
        return 0.5 * tf.reduce_mean(tf.reduce_sum((z - moved) ** 2, axis=-1))

    def _losses_at(self, batch, seed, moved):
        """The loss of the encoder towards moved particles, and of the decoders at them."""
        of_decoders = self._decoder_objective(batch, moved)
        return Objective(self._distance(batch, seed, moved) + of_decoders.loss, of_decoders.terms)

    def _decoder_objective(self, batch, moved):
        """−[ mean log p(x | z') + mean ζ log p(y | z') + log p(θ) / N + log p(θ~) ζ ρ / N_l ] at moved particles."""
        image = all_images(batch)
        with tf.GradientTape() as tape:
            log_p_x = self._log_p_image(moved, image, training=True)
            of_targets = self._log_p_targets(moved, batch)
            value = tf.reduce_mean(log_p_x) + tf.reduce_mean(of_targets.value) + of_targets.log_prior
        value = stein.parameter_objective(value, tape, self._groups(), self.config)
        return Objective(-value, {"log_likelihood": tf.reduce_mean(log_p_x, axis=0), **of_targets.terms})

    def _evaluated(self, batch, seed):
        """What the codes of a batch say of its images and labels, and the bound; −bound is the loss."""
        image = all_images(batch)
        z = self.codes(image, self.config.num_samples, seed)
        of_targets = self._log_p_targets(z, batch)
        bound = self.log_prob_bound(image, 1, seed)
        terms = {
            "log_likelihood": tf.reduce_mean(self._log_p_image(z, image), axis=0),
            **of_targets.terms,
            "bound": bound,
        }
        return Objective(-tf.reduce_mean(bound) - tf.reduce_mean(of_targets.value), terms)

    def _groups(self):
        """The parameters of either decoder, and the observations that one image of a batch's mean stands for.

        A label weighs ζ there, so that its mean stands for N_l / (ζ ρ) of them: its own posterior has no ζ (eq. 4.51).
        """
        groups = [stein.Parameters(self.p_x_given_z.trainable_variables, self.info.num_train)]
        if "label" in self.heads:
            count = self.info.num_labelled * self.info.num_classes / self.scales["label"]
            groups.append(stein.Parameters(self.heads["label"].trainable_variables, count))
        return [group for group in groups if group.variables]

    def _log_p_image(self, z, image, training=False):
        """log p(x | z), over particles of θ the mean: [S, B]."""
        log_p = self.p_x_given_z(z, training=training).log_prob(image)
        return log_p if self.config.parameter_particles == 1 else tf.reduce_mean(log_p, axis=0)

    def _log_p_targets(self, z, batch):
        num = z.shape[0]
        flat = tf.reshape(z, [-1, self.config.latent_dim])
        return self.target_terms(flat, batch, num)

    def _decoder(self, z, shape, likelihood):
        """p(x | z, θ): one network, or the particles of its parameters."""
        num, network = self.config.parameter_particles, self.config.network
        if num == 1:
            return network.decoder("p_x", z, shape, likelihood)
        return Particles([network.decoder(f"p_x_{j}", z, shape, likelihood) for j in range(num)], name="p_x")

    # What can be asked of the model.

    def log_weights(self, image, seed, num_samples):
        """log p(x, z) − log q(z | x) of draws, each image's its own, the density by the volume of the encoder's map.

        [S, B], nats. See `ImplicitEncoder.log_volume` for when that is the density. Particles of θ are averaged as
        probabilities, p(x | z) = (1/J) Σ_j p(x | z, θ_j); the source averages their logarithms, a looser bound.
        """
        z, log_q = self._with_density(image, self.p_xi.sample([num_samples, tf.shape(image)[0]], seed=seed))
        return self.decode(z).log_prob(image) + self.p_z.log_prob(z) - log_q

    def log_prob_bound(self, image, num_samples, seed):
        return inference.importance_weighted(self.log_weights(image, seed, num_samples))

    def encode(self, image):
        """The Gaussian with the mean and the variances of M draws of q(z | x), the same draws every time."""
        mean, variance = tf.nn.moments(self.codes(image), axes=[0])
        return families.DiagGaussian(mean, tf.math.log(variance + 1e-12))

    def decode(self, z):
        """p(x | z), the particles of θ averaged out."""
        return self.p_x_given_z(z) if self.config.parameter_particles == 1 else self.p_x_given_z.mixture(z)

    def reconstruct(self, image):
        """The mean of p(x | z) over M draws of q(z | x): several modes are not averaged to a code between them."""
        return tf.reduce_mean(self.picture(self.decode(self.codes(image))), axis=0)

    def sample(self, num, seed):
        p_x = self.decode(self.p_z.sample(num, seed=seed))
        return self.picture(p_x, noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        """Of the Gaussian with the moments of the draws: a lower bound on what a unit carries."""
        del seed  # The draws are the same every time.
        return {"z": gaussian_kl_per_unit(self.encode(image), self.p_z)}

    def stein_discrepancy(self, image, num_samples, seed):
        """The squared kernelised discrepancy of the encoder's draws from p(z | x): [B], about 0 for draws of it.

        Liu, Lee & Jordan 2016.
        """
        kernel = kernels.KERNELS[self.config.kernel]
        z = self.codes(image, num_samples, seed)

        def log_joint(z):
            return self.decode(z).log_prob(image) + self.p_z.log_prob(z)

        return stein.discrepancy(log_joint, z, kernel, self.config.bandwidth)

    def _with_density(self, image, xi):
        """z = f(x, ξ) and log q(z | x) = log q₀(ξ) − log |det ∂z/∂ξ|: [S, B, Z], [S, B]."""
        z, log_volume = self.encoder.log_volume(image, xi)
        log_q_xi = self.p_xi.log_prob(xi)
        return z, (log_q_xi if xi.shape.rank == 3 else log_q_xi[:, None]) - log_volume


def _check(config, info):
    """Raises ValueError if the configuration does not fit the data."""
    config.network.check(info.image_shape)
    targets.check_classes(config.label_weight, info.num_classes)
    if config.label_weight and not info.num_labelled:
        raise ValueError("A decoder of labels needs labelled images: give some labels, or set `model.label_weight=0`.")
