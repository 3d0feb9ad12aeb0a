"""p(z) p(x | z) with q(z | x): the variational auto-encoder (M1), and IWAE by its bound."""

import abc
import dataclasses

import tensorflow as tf

from tfvae import inference, ranges
from tfvae.capabilities import Capability
from tfvae.inference.bound import LogWeights, bound
from tfvae.layers import posterior as posteriors
from tfvae.models.base import PICTURE_NOISE, GenerativeModel, LatentVariableModel, Objective, all_images
from tfvae.networks import mlp
from tfvae.probability import families, noise


@dataclasses.dataclass
class Config:
    """VAE of Kingma & Welling 2013; IWAE of Burda et al. 2016 with `bound="importance"`.

    Args:
        latent_dim: Z.
        network: of encoder and decoder alike, and the prior; a config of `tfvae.networks`.
        likelihood: `bernoulli`, `gaussian`, `discretised_logistic` or, of counts, `poisson`.
        posterior: of q(z | x): `gaussian`, `planar` or `iaf`, as `tfvae.layers.posterior` has them.
        flow_length: layers of such a flow.
        bound: `elbo` or `importance`.
        num_samples: S, draws of z an image in training.
        kl_warmup_steps: steps over which the weight of the KL rises to 1; 0 for none.
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(50, ranges.WIDTHS)
    network: mlp.Config = ranges.field(allowed=ranges.NETWORK, factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    bound: str = ranges.field("elbo", ranges.Choices(inference.BOUNDS))
    num_samples: int = ranges.field(1, ranges.DRAWS)
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    compile_step: bool = False
    posterior: str = ranges.field("gaussian", ranges.Choices(posteriors.POSTERIORS))
    flow_length: int = ranges.field(80, ranges.Interval(1, 10_000))

    def build(self, info, seed=0):
        return VAE(self, info, seed)


class UnlabelledModel(GenerativeModel, abc.ABC):
    """A model without labels: its whole objective is a bound on log p(x), or on log Z, from its log weights.

    Args:
        config: has `bound`, `num_samples`, `kl_warmup_steps` and `compile_step`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        super().__init__(
            info, seed=seed, kl_warmup_steps=config.kl_warmup_steps, compile_step=config.compile_step, **kwargs
        )
        self.config = config
        self.bound_of = inference.BOUNDS[config.bound]

    @abc.abstractmethod
    def log_weights(self, x, seed, num_samples, training=False) -> LogWeights:
        """[S, B], log p(x, ...) − log q(... | x) of S draws of all latent variables for images x [B, D]."""

    def objective(self, batch, seed, training=False):
        weights = self.log_weights(all_images(batch), seed, self.config.num_samples, training)
        log_p_x = bound(self.bound_of, weights, self.kl_weight(training), self.likelihood_weight(training))
        terms = {
            "bound": log_p_x.value,
            "log_likelihood": tf.reduce_mean(weights.log_likelihood, axis=0),
            "kl": tf.reduce_mean(weights.divergence, axis=0),
        }
        return Objective(-tf.reduce_mean(log_p_x.surrogate), terms)

    def capabilities(self):
        return super().capabilities() | {Capability.BOUND}

    def likelihood_weight(self, training):
        """The temperature of log p(x | ...) at this step; a family that warms it up overrides this."""
        del training
        return 1.0

    def log_prob_bound(self, image, num_samples, seed):
        """Importance-weighted bound of `num_samples` draws: [B], nats."""
        return inference.importance_weighted(self.log_weights(image, seed, num_samples).value())


class OneCodeModel(LatentVariableModel, abc.ABC):
    """A model of x and one code z, whose network's config says what such a network can be asked for besides.

    Attributes:
        config: has `network`, as `tfvae.networks` describes it.
        p_x_given_z: the decoder.
    """

    # Several decoders, such as particles of their parameters, have no topics and no posterior in common.
    one_decoder = True

    def capabilities(self):
        found = super().capabilities() | {Capability.CODES}
        return found | (self.config.network.capabilities() if self.one_decoder else set())

    def supervised_network(self):
        return self.config.network if isinstance(self.config.network, mlp.Config) else super().supervised_network()

    def initialise(self, images):
        super().initialise(images)
        if hasattr(self.p_x_given_z, "initialise"):
            self.p_x_given_z.initialise(images)

    def topics(self):
        """Probabilities of the P words in V topics: [V, P]."""
        self.require(Capability.TOPICS)
        return self.p_x_given_z.loadings.topics()

    def posterior_draws(self, image, num, seed):
        """Draws of p(z | x), of a network for which it is known or can be sampled: [num, B, Z]."""
        self.require(Capability.POSTERIOR)
        return self.config.network.posterior_draws(self, image, num, seed)


class VAE(UnlabelledModel, OneCodeModel):
    """p(x, z) = p(z) p(x | z), approximated by q(z | x).

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
        prefix: of the layers' names, where the model is a part of another.
    """

    def __init__(self, config, info, seed=0, prefix="", **kwargs):
        super().__init__(config, info, seed, **kwargs)
        x, z, net = info.image_shape, config.latent_dim, config.network
        net.check(x)
        self.likelihood = config.likelihood
        self.p_z = net.prior(z)
        self.p_x_given_z = net.decoder(f"{prefix}p_x", z, x, config.likelihood)
        self.q_z_given_x = encoder_of(config, f"{prefix}q_z", x)

    def log_weights(self, x, seed, num_samples, training=False):
        q_z = self.q_z_given_x(x, training=training)
        z = q_z.sample(num_samples, seed=seed)
        p_x = self.p_x_given_z(z, training=training)
        return LogWeights(p_x.log_prob(x), q_z.log_prob(z) - self.p_z.log_prob(z))

    def encode(self, image):
        return self.q_z_given_x(image)

    def codes(self, image, num_samples, seed):
        """Draws of z: [S, B, Z]."""
        return self.encode(image).sample(num_samples, seed=seed)

    def decode(self, z):
        return self.p_x_given_z(z)

    def sample(self, num, seed):
        p_x = self.decode(self.p_z.sample(num, seed=seed))
        return self.picture(p_x, noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        del seed  # In closed form.
        return {"z": gaussian_kl_per_unit(self.encode(image), self.p_z)}


def encoder_of(config, name, image_shape):
    """q(z | x) of a config with `network`, `latent_dim`, `posterior` and `flow_length`."""
    family = posteriors.posterior(config.posterior, name, config.latent_dim, config.flow_length)
    return config.network.encoder(name, image_shape, config.latent_dim, family)


def gaussian_kl_per_unit(q_z, p_z=None):
    """KL(q(z_i | x) ‖ p(z_i)) of every unit of a diagonal Gaussian: [..., Z], nats.

    Of a flow this is what the Gaussian with its means and variances has.

    Args:
        q_z: with batch shape [...] and event shape [Z].
        p_z: over [Z], N(0, I) by default; of a prior that is no Gaussian, the Gaussian with its mean and variances.
    """
    mean, variance = q_z.mean(), q_z.variance()
    if p_z is not None:
        mean, variance = (mean - p_z.mean()) * tf.math.rsqrt(p_z.variance()), variance / p_z.variance()
    return 0.5 * (variance + mean**2 - 1.0 - tf.math.log(variance))
