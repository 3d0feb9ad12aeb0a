"""M1+M2: an M2 over the codes of a trained M1  (Kingma et al. 2014, section 2.3).

p(y) p(z2) p(z1 | y, z2) p(x | z1), learned one layer at a time by two players: M1 in the first `m1_steps` steps, M2 in
the rest, on draws of M1's codes and with an optimiser of its own. A step costs the stage that is on.
"""

import dataclasses

import tensorflow as tf

from tfvae import ranges
from tfvae.batch import IMAGE, LABELLED, UNLABELLED
from tfvae.inference.bound import LogWeights
from tfvae.models.base import PICTURE_NOISE, Objective
from tfvae.models.class_conditional import ClassConditionalModel, ClassTable
from tfvae.models.m2 import M2
from tfvae.models.m2 import Config as M2Config
from tfvae.models.players import Player
from tfvae.models.vae import VAE
from tfvae.models.vae import Config as VAEConfig
from tfvae.networks import mlp
from tfvae.probability import noise


@dataclasses.dataclass
class Config:
    """The two models and when the second begins.

    Args:
        m1: of the images; its `latent_dim` is the width of the codes.
        m2: of the codes; its likelihood must be `gaussian`, its `beta` weighs the classifier.
        m1_steps: training steps of M1 before M2 begins.
        compile_step: loss and gradients compiled by XLA.
    """

    m1: VAEConfig = dataclasses.field(
        default_factory=lambda: VAEConfig(network=mlp.Config(hidden=(600, 600), activation="softplus"))
    )
    m2: M2Config = dataclasses.field(
        default_factory=lambda: M2Config(
            latent_dim=50, likelihood="gaussian", network=mlp.Config(hidden=(500,), activation="softplus")
        )
    )
    m1_steps: int = ranges.field(50_000, ranges.COUNTS)
    compile_step: bool = False

    def validate(self):
        """Checks the second model against the codes of the first.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.m2.likelihood != "gaussian":
            raise ValueError(f"Codes of M1 are real: `model.m2.likelihood` is 'gaussian', got {self.m2.likelihood!r}.")

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "use a `vae` preset"}

    def build(self, info, seed=0):
        return M1M2(self, info, seed)


class M1M2(ClassConditionalModel):
    """A trained M1 under an M2: classes from codes, images through both decoders."""

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        shared = dataclasses.replace(config.m2, compile_step=config.compile_step)
        super().__init__(shared, info, seed, **kwargs)
        self.m1_steps = config.m1_steps
        self.m1 = VAE(config.m1, info, seed, prefix="m1_")
        self.m2 = M2(config.m2, info._replace(image_shape=(config.m1.latent_dim,)), seed, prefix="m2_")
        self.m1.follow(self)
        self.m2.follow(self, begins=config.m1_steps)

    def players(self):
        return {
            "m1": Player(self._m1_objective, self.m1.trainable_variables, ends=self.m1_steps),
            "m2": Player(
                lambda batch, seed: self._m2_objective(batch, *noise.split(seed, 2)),
                self.m2.trainable_variables, begins=self.m1_steps,
            ),
        }  # fmt: skip

    def objective(self, batch, seed, training=False):
        m1_seed, code_seed, m2_seed, bound_seed = noise.split(seed, 4)
        first = self._m1_objective(batch, m1_seed, training)
        second = self._m2_objective(batch, code_seed, m2_seed, training)
        terms = {**second.terms, **first.terms}
        if not training:
            x = next(iter(batch.values()))[IMAGE]
            terms["bound"] = self.unlabelled_bound(x, bound_seed)[0].value
        return Objective(second.loss, terms)

    def _m1_objective(self, batch, seed, training=True):
        """M1 learns from the bare images, among which the labelled ones are, and from labelled ones where all are."""
        images = {UNLABELLED: batch[UNLABELLED]} if UNLABELLED in batch else batch
        objective = self.m1.objective(images, seed, training)
        return Objective(objective.loss, {"m1_bound": objective.terms["bound"]})

    def _m2_objective(self, batch, code_seed, m2_seed, training=True):
        """M2 learns from draws of M1's codes."""
        codes = {
            stream: {**entries, IMAGE: self._code(entries[IMAGE], noise.fold_in(code_seed, i), training)}
            for i, (stream, entries) in enumerate(batch.items())
        }
        loss, terms = self.m2.objective(codes, m2_seed, training)
        return Objective(loss, {f"code_{name}" if name.endswith("bound") else name: v for name, v in terms.items()})

    def log_weights(self, x, y, seed, num_samples, training=False):
        """One draw of z1 an image, S draws of z2: any shared draw leaves the mean of the weights unbiased."""
        z1_seed, z2_seed = noise.split(seed, 2)
        q_z1 = self.m1.q_z_given_x(x, training=training)
        z1 = q_z1.sample(seed=z1_seed)  # [B, 1, Z1]
        table = self.m2.log_weights(z1, y, z2_seed, num_samples, training)
        log_p_x = self.m1.p_x_given_z(z1, training=training).log_prob(x) - q_z1.log_prob(z1)
        return ClassTable(LogWeights(table.weights.log_likelihood + log_p_x, table.weights.divergence), table.log_q_y)

    def classify(self, image, num_samples=1, seed=None):
        """q(y | z1), at the mean of q(z1 | x) without a seed, averaged over draws of z1 with one."""
        q_z1 = self.m1.encode(image)
        if seed is None:
            return self.m2.classify(q_z1.mean())
        return tf.reduce_mean(self.m2.classify(q_z1.sample(num_samples, seed=seed)), axis=0)

    def encode(self, image):
        """q(z2 | z1, y) at the mean of q(z1 | x)."""
        return self.m2.encode(self.m1.encode(image).mean())

    def decode(self, z, y):
        """p(x | z1) at the mean of p(z1 | y, z2)."""
        return self.m1.decode(self.m2.decode(z, y).mean())

    def reconstruct(self, image):
        # Through z1 alone: M2 explains codes, it does not carry an image.
        return self.m1.reconstruct(image)

    def sample(self, num, seed, label=None):
        class_seed, z_seed, code_seed = noise.split(seed, 3)
        y = self.prior_classes(num, class_seed, label)
        z1 = self.m2.decode(self.m2.p_z.sample(num, seed=z_seed), y).sample(seed=code_seed)
        return self.picture(self.m1.decode(z1), noise.fold_in(seed, PICTURE_NOISE))

    def kl_per_unit(self, image, seed):
        return {"z1": self.m1.kl_per_unit(image, seed)["z"], **self.m2.kl_per_unit(self.m1.encode(image).mean(), seed)}

    def _code(self, image, seed, training):
        """What M2 learns from: a draw of z1 in training, its mean otherwise; no gradient passes."""
        q_z1 = self.m1.encode(image)
        return tf.stop_gradient(q_z1.sample(seed=seed) if training else q_z1.mean())
