"""p(z) p(x | z), and p(y | z) where there are labels, with an encoder z = f(x, ξ) that learns from Stein's direction.

Pu 2017, chapter 4: Stein VAE and, with importance weights, Stein VIWAE.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import inference
from tfvae.heads import targets
from tfvae.heads.softmax import Softmax
from tfvae.inference import stein
from tfvae.models.base import GenerativeModel, Objective, all_images
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import mlp
from tfvae.networks.implicit import ImplicitEncoder
from tfvae.probability import families, kernels, noise

INFERENCES = ("stein", "stein_importance")

# The draws of ξ behind what is asked of the model without a seed: the same every time.
_FIXED_DRAWS = 7


@dataclasses.dataclass
class Config:
    """Stein VAE.

    Args:
        latent_dim: Z.
        network: of encoder and decoder alike.
        likelihood: `bernoulli`, `gaussian` or `discretised_logistic`.
        inference: `stein`, or `stein_importance`, whose particles weigh by p(x, z) / q(z).
        num_samples: M, particles of a code.
        kernel: `rbf` or `imq`.
        bandwidth: a rule of `tfvae.probability.kernels.bandwidth`: `median` (the source) or `median/log`.
        step_size: ε of a step of the particles.
        encoder_steps: K, steps of the encoder towards the moved particles.
        label_weight: times N_x / (C ρ) it is the weight ζ of a label; 0 for a model without labels.
    """

    latent_dim: int = 50
    network: mlp.Config = dataclasses.field(default_factory=lambda: mlp.Config(hidden=(200, 200), activation="tanh"))
    likelihood: str = "bernoulli"
    inference: str = "stein"
    num_samples: int = 100
    kernel: str = "rbf"
    bandwidth: str = "median"
    step_size: float = 1.0
    encoder_steps: int = 1
    label_weight: float = 0.0

    def build(self, info, seed=0):
        return SteinVAE(self, info, seed)


class SteinVAE(GenerativeModel):
    """A VAE whose q(z | x) is known by its draws alone.

    A training step moves the M codes of every image by ε φ, Stein's direction towards p(z | x); then

        the encoder goes down   ½ mean_x (1/M) Σ_j ‖f(x, ξ_j) − z'_j‖²,   z'_j = z_j + ε φ(z_j)      (eq. 4.13),
        the decoders go up      mean_x (1/M) Σ_j [ log p(x | z'_j) + ζ log p(y | z'_j) ],

    each by its own parameters, so that one loss is the sum of both. The draws ξ_j are shared by all images.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(info, seed=seed, **kwargs)
        _check(config, info)
        self.config = config
        dim, z = int(np.prod(info.image_shape)), config.latent_dim
        self.p_z = families.standard_normal(z)
        likelihood = families.likelihood(config.likelihood)
        self.p_x_given_z = mlp.conditional("p_x", {"z": z}, likelihood, dim, config.network)
        self.encoder = ImplicitEncoder(dim, z, config.network, name="q_z_implicit")
        self.widest_layer = z * max(config.network.hidden)  # Of the Jacobian.
        self.heads, self.scales = {}, {"label": config.label_weight * dim}
        if config.label_weight:
            self.heads["label"] = Softmax(z, info.num_classes, name="label_softmax")
            self.classify = self._classify

    def objective(self, batch, seed, training=False):
        return self._towards(batch, seed, self._moved(batch, seed, training), training)

    def train_step(self, batch):
        if self.config.encoder_steps == 1:
            return super().train_step(batch)
        seed = self.step_seed()
        moved = self._moved(batch, seed, training=True)
        report = self.minimise(lambda _: self._towards(batch, seed, moved, True), self.trainable_variables)
        for _ in range(self.config.encoder_steps - 1):
            self.minimise(lambda _: self._towards(batch, seed, moved, True), self.encoder.trainable_variables)
        return report

    def codes(self, image, num_samples, seed):
        """Draws of z: [S, B, Z]."""
        return self.encoder(image, self.p_z.sample(num_samples, seed=seed))

    def _moved(self, batch, seed, training=False):
        """z' = z + ε φ(z): [S, B, Z], without gradient."""
        image, config = all_images(batch), self.config

        def log_joint(z):
            log_p = self.p_x_given_z(z, training=training).log_prob(image) + self.p_z.log_prob(z)
            return log_p + tf.reshape(self._explained(z, batch).value, tf.shape(log_p))

        xi, log_q = self.p_z.sample(config.num_samples, seed=seed), None
        if config.inference == "stein_importance":
            z, log_q = self._with_density(image, xi)
        else:
            z = self.encoder(image, xi)
        kernel = kernels.KERNELS[config.kernel]
        phi, _ = stein.directions(log_joint, z, kernel, config.bandwidth, log_q, compiled=training)
        return tf.stop_gradient(z) + config.step_size * phi

    def _towards(self, batch, seed, moved, training):
        """The loss of the encoder towards moved particles, and of the decoders at them."""
        image = all_images(batch)
        z = self.codes(image, self.config.num_samples, seed)
        distance = 0.5 * tf.reduce_mean(tf.reduce_sum((z - moved) ** 2, axis=-1))
        log_p_x = self.p_x_given_z(moved, training=training).log_prob(image)
        told = self._explained(moved, batch)
        terms = {"log_likelihood": tf.reduce_mean(log_p_x, axis=0), **told.terms}
        if not training:  # The density of a draw costs as many passes as it has dimensions.
            terms["bound"] = self.log_weights(image, seed, 1)[0]
        value = tf.reduce_mean(log_p_x) + tf.reduce_mean(told.value) + told.prior
        return Objective(distance - value, terms)

    def _explained(self, z, batch):
        num = z.shape[0]
        flat = tf.reshape(z, [-1, self.config.latent_dim])
        return targets.explained(self.heads, self.scales, flat, batch, num, self.info.num_labelled)

    # What can be asked of the model.

    def log_weights(self, image, seed, num_samples):
        """log p(x, z) − log q(z | x) of draws, the density by the volume of the encoder's map: [S, B], nats."""
        z, log_q = self._with_density(image, self.p_z.sample(num_samples, seed=seed))
        return self.p_x_given_z(z).log_prob(image) + self.p_z.log_prob(z) - log_q

    def log_prob_bound(self, image, num_samples, seed):
        return inference.importance_weighted(self.log_weights(image, seed, num_samples))

    def encode(self, image):
        """The Gaussian with the mean and the variances of M draws of q(z | x), the same draws every time."""
        mean, variance = tf.nn.moments(self._fixed_codes(image), axes=[0])
        return families.DiagGaussian(mean, tf.math.log(variance + 1e-12))

    def decode(self, z):
        return self.p_x_given_z(z)

    def reconstruct(self, image):
        """The mean of p(x | z) over M draws of q(z | x): several modes are not averaged to a code between them."""
        return tf.reduce_mean(self.p_x_given_z(self._fixed_codes(image)).mean(), axis=0)

    def sample(self, num, seed):
        return self.decode(self.p_z.sample(num, seed=seed)).mean()

    def kl_per_unit(self, image, seed):
        """Of the Gaussian with the moments of the draws: a lower bound on what a unit carries."""
        del seed  # The draws are the same every time.
        return {"z": gaussian_kl_per_unit(self.encode(image))}

    def _with_density(self, image, xi):
        """z = f(x, ξ) and log q(z | x) = log q₀(ξ) − log |det ∂z/∂ξ|: [S, B, Z], [S, B]."""
        z, log_volume = self.encoder.log_volume(image, xi)
        return z, self.p_z.log_prob(xi)[:, None] - log_volume

    def _fixed_codes(self, image):
        return self.codes(image, max(2, self.config.num_samples), noise.seed(_FIXED_DRAWS))

    def _classify(self, image, num_samples=1, seed=None):
        """p(y | x) averaged over draws of the code, M fixed ones without a seed: [B, K]."""
        z = self._fixed_codes(image) if seed is None else self.codes(image, num_samples, seed)
        return self.heads["label"].predict(z)


def _check(config, info):
    """Raises ValueError for what is no model."""
    for name, known in (("inference", INFERENCES), ("kernel", kernels.KERNELS), ("bandwidth", kernels.BANDWIDTHS)):
        if getattr(config, name) not in known:
            raise ValueError(f"`model.{name}` must be one of {tuple(known)}, got {getattr(config, name)!r}.")
    if min(config.num_samples, config.encoder_steps) < 1 or not config.step_size > 0:
        raise ValueError(
            "`model.num_samples` and `model.encoder_steps` are at least 1 and `model.step_size` positive, got "
            f"{config.num_samples}, {config.encoder_steps} and {config.step_size}."
        )
    if len(info.image_shape) != 1:
        raise ValueError(
            f"A Stein VAE reads vectors, got observations of shape {info.image_shape}: set "
            "`data.transform.flatten=True`."
        )
    targets.check_classes(config.label_weight, info.num_classes)
