"""A generator and a critic of images  (Goodfellow et al. 2014; Radford et al. 2016), on the networks of an AS-VAE."""

import dataclasses

import tensorflow as tf

from tfvae import ranges
from tfvae.capabilities import Capability
from tfvae.models import adversarial
from tfvae.models.base import PICTURE_NOISE, GenerativeModel, Objective, all_images
from tfvae.models.players import Player
from tfvae.networks import critic, mlp
from tfvae.probability import noise
from tfvae.probability.energy_distance import energy_distance_by_row


@dataclasses.dataclass
class Config:
    """DCGAN with the decoder of an AS-VAE as its generator.

    Args:
        latent_dim: Z.
        network: of the generator, and the prior; a config of `tfvae.networks`.
        likelihood: whose mean, or draw, is the image.
        critic_network: of images.
        critic_steps: of the critic in a round.
        x_draws: `mean`, a deterministic generator, or as of `tfvae.models.asvae.Config`.
        temperature: of relaxed Bernoulli pixels.
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(64, ranges.WIDTHS)
    network: mlp.Config = ranges.field(allowed=ranges.NETWORK, factory=mlp.Config)
    likelihood: str = ranges.field("bernoulli", adversarial.LIKELIHOODS)
    critic_network: critic.Config = dataclasses.field(default_factory=critic.Config)
    critic_steps: int = ranges.field(1, ranges.Interval(1, 100_000))
    x_draws: str = ranges.field("mean", ranges.Choices(adversarial.X_DRAWS))
    temperature: float = ranges.field(0.5, ranges.POSITIVE)
    compile_step: bool = False

    def build(self, info, seed=0):
        return DCGAN(self, info, seed)


class DCGAN(GenerativeModel):
    """min over θ, max over ψ of  E log σ(f(x)) + E log(1 − σ(f(x(z)))), θ by −E log σ(f(x(z))).

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        super().__init__(info, seed=seed, compile_step=config.compile_step, **kwargs)
        config.network.check(self.image_shape)
        self.config, self.likelihood = config, config.likelihood
        self.p_z = config.network.prior(config.latent_dim)
        self.p_x_given_z = config.network.decoder("p_x", config.latent_dim, self.image_shape, config.likelihood)
        self.critic = critic.Critic(config.critic_network, self.image_shape, name="critic")
        of_network = getattr(config.network, "widest", lambda shape: 0)(self.image_shape)
        self.widest_layer = max(500, of_network, critic.widest(config.critic_network, self.image_shape))

    # It answers no bound; what it draws has no density.
    def capabilities(self):
        return super().capabilities() | {Capability.CRITIC}

    def players(self):
        return {
            "critic": Player(
                self.critic_step, self.critic.trainable_variables, self.config.critic_steps, reports_norm=True
            ),
            "model": Player(self.model_step, self.p_x_given_z.trainable_variables, reports_norm=True),
        }

    def objective(self, batch, seed, training=False):
        """The energy distance of samples from the images, by which epochs are compared."""
        distance = energy_distance_by_row(all_images(batch), self.generated(all_images(batch), seed, training))
        return Objective(tf.reduce_mean(distance), {"sample_distance": distance})

    def generated(self, image, seed, training=False):
        """As many samples as there are images, with a gradient."""
        z_seed, x_seed = noise.split(seed, 2)
        z = self.p_z.sample(tf.shape(image)[0], seed=z_seed)
        p_x = self.p_x_given_z(z, training=training)
        return adversarial.drawn(p_x, self.config.x_draws, self.config.temperature, x_seed)

    def critic_logits(self, image, seed):
        """f of images and of as many samples: {"f": ([B], [B])}."""
        return {"f": self._sides(image, tf.stop_gradient(self.generated(image, seed)))}

    def critic_step(self, batch, seed):
        """The critic goes up its objective, at samples that do not move."""
        x = all_images(batch)
        sides = self._sides(x, tf.stop_gradient(self.generated(x, seed)), noise.fold_in(seed, 1), training=True)
        loss, error, saturation = adversarial.criticised(*sides)
        return Objective(loss, {"f_error": error, "f_saturation": saturation})

    def model_step(self, batch, seed):
        """−mean log σ(f) of samples, with the critic held."""
        logits = self.critic(self.generated(all_images(batch), seed, training=True))
        return Objective(tf.reduce_mean(tf.math.softplus(-logits)), {"logit_of_samples": logits})

    def sample(self, num, seed):
        z = self.p_z.sample(num, seed=seed)
        p_x = self.p_x_given_z(z)
        if self.config.x_draws == "mean":
            return p_x.mean()
        return adversarial.drawn(
            p_x, self.config.x_draws, self.config.temperature, noise.fold_in(seed, PICTURE_NOISE)
        )  # fmt: skip

    def _sides(self, x, samples, seed=None, training=False):
        return tf.split(self.critic(tf.concat([x, samples], axis=0), seed=seed, training=training), 2)
