"""p(s) = Σ_j ν_j N(s; μ_j, I / α_j) as the prior of a code, by which images fall into clusters.

Pu 2017, section 3.3.4.
"""

import dataclasses
import functools

import keras
import tensorflow as tf

from tfvae import ranges
from tfvae.batch import IMAGE
from tfvae.capabilities import Capability, Endpoint
from tfvae.probability import noise
from tfvae.probability import stick_breaking as sticks

# Keeps the noise of clusters apart from that of codes.
_CLUSTER_NOISE = 3
# Logits and logarithms are held divided by it, as `tfvae.heads.tags` says.
_PACE = 10.0


@dataclasses.dataclass
class Config:
    """A truncated stick-breaking mixture.

    Args:
        most: J, the most clusters there may be.
        concentration: a of the sticks' Beta(1, a): the smaller, the fewer clusters hold the weight.
        precision_prior: (a, b) of the Gamma prior of α_j, b a rate.
        begin_epochs: epochs with the prior N(0, I), after which the means are those of a k-means of codes.
    """

    most: int = ranges.field(20, ranges.Interval(2, 100_000), hint="For one cluster there is `model.prior=standard`.")
    concentration: float = ranges.field(1.0, ranges.POSITIVE)
    precision_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    begin_epochs: int = ranges.field(5, ranges.POSITIVE_COUNTS)


class ClusterPrior(keras.layers.Layer):
    """A mixture over codes; a part of a model, which answers in which cluster an image is.

    It is N(0, I) first, exactly: all means 0, all precisions 1, and nothing of it learns. After `begin_epochs` the
    means are those of a k-means of codes, all precisions that of codes about them, all sticks even, and from then on
    they learn with the model.

    Args:
        latent_dim: Z.
        config: `Config`.
    """

    def __init__(self, latent_dim, config, **kwargs):
        super().__init__(**kwargs, dtype="float32")
        ranges.check(config, "model.clusters")
        self.config, self.latent_dim = config, latent_dim
        num = config.most
        self.means = self.add_weight(shape=[num, latent_dim], initializer="zeros", name="means")
        self.log_precision = self.add_weight(shape=[num], initializer="zeros", name="log_precision")
        self.stick_logits = self.add_weight(shape=[num - 1], initializer="zeros", name="stick_logits")
        self.stick_logits.assign(_even_sticks(num) / _PACE)
        self.begun = self.add_weight(shape=[], initializer="zeros", trainable=False, name="begun")
        self.built = True

    def parameters(self, training=False):
        """log ν [J], μ [J, Z], log α [J]; in training without a gradient until the clusters have begun."""
        logits, means, log_precision = (
            self._learning(variable, training) for variable in (self.stick_logits, self.means, self.log_precision)
        )
        return sticks.log_weights(_PACE * logits), means, _PACE * log_precision

    def _learning(self, variable, training):
        value = tf.convert_to_tensor(variable)
        return self.begun * value + (1.0 - self.begun) * tf.stop_gradient(value) if training else value

    def log_prob(self, s):
        """log p(s): [N], nats."""
        return sticks.log_prob(s, *self.parameters())

    def sample(self, num, seed):
        """Codes [num, Z]: of a cluster that is drawn, a point that is drawn."""
        log_nu, means, log_precision = self.parameters()
        drawn = noise.uniform([num, 1], noise.fold_in(seed, _CLUSTER_NOISE))
        cluster = tf.reduce_sum(tf.cast(drawn >= tf.cumsum(tf.exp(log_nu))[:-1], tf.int32), axis=-1)
        width = tf.exp(-0.5 * tf.gather(log_precision, cluster))[:, None]
        return tf.gather(means, cluster) + width * noise.normal([num, self.latent_dim], seed)

    def mean(self):
        """Of the whole mixture, [Z]."""
        log_nu, means, _ = self.parameters()
        return tf.linalg.matvec(means, tf.exp(log_nu), transpose_a=True)

    def variance(self):
        """Of the whole mixture in each dimension, [Z]."""
        log_nu, means, log_precision = self.parameters()
        nu = tf.exp(log_nu)
        between = tf.linalg.matvec((means - self.mean()) ** 2, nu, transpose_a=True)
        return between + tf.reduce_sum(nu * tf.exp(-log_precision))

    def divergence(self, q_s, training=False):
        """A bound from above on KL(q(s | x) ‖ p(s)): [B], nats (`tfvae.probability.stick_breaking.divergence`)."""
        return sticks.divergence(q_s, *self.parameters(training))

    def log_prior(self, training=False):
        """log p(ν) + log p(μ) + log p(α) up to a constant, as a scalar in nats.

        Of the sticks' logits, of μ ~ N(0, I) and of log α, the Jacobians counted.
        """
        a, b = self.config.precision_prior
        _, means, log_precision = self.parameters(training)
        logits = _PACE * self._learning(self.stick_logits, training)
        of_sticks = sticks.log_prior_of_sticks(logits, self.config.concentration)
        of_precisions = tf.reduce_sum(a * log_precision - b * tf.exp(log_precision))
        return of_sticks - 0.5 * tf.reduce_sum(means**2) + of_precisions

    def begin(self, q_s, seed):
        """Begins the clusters: means by k-means of the codes' means, the precision by which codes lie about them.

        Args:
            q_s: q(s | x) of some training images.
            seed: int32 [2], of the k-means.

        Raises:
            ValueError: for fewer images than clusters.
        """
        mean, variance = q_s.mean(), q_s.variance()
        if mean.shape[0] < self.config.most:
            raise ValueError(
                f"{mean.shape[0]} training images cannot begin `model.clusters.most`={self.config.most} clusters: "
                "lower it."
            )
        centres = sticks.k_means(mean, self.config.most, seed)
        nearest = tf.reduce_min(sticks.squared_distances(mean, centres), axis=-1)
        spread = tf.reduce_mean(nearest + tf.reduce_sum(variance, axis=-1)) / self.latent_dim
        self.means.assign(centres)
        self.log_precision.assign(tf.fill([self.config.most], -tf.math.log(spread) / _PACE))
        self.begun.assign(1.0)

    # What the model answers because of it.

    def answers(self, model):
        return {
            Capability.CLUSTER: functools.partial(self.cluster, model),
            "cluster_weights": lambda: tf.exp(self.parameters()[0]),
        }

    def endpoints(self, model):
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        return {"cluster": Endpoint(functools.partial(self._serve, model), [image])}

    def cluster(self, model, image, num_samples=1, seed=None):
        """q(c | x), how probably images are of each cluster: [B, J].

        Args:
            model: has `codes` and `encode`.
            image: [B, H, W, C].
            num_samples: S, draws of the code over which p(c | s) is averaged; only with a seed.
            seed: int32 [2]; None for the q(c | x) of the bound, the same every time.
        """
        if seed is None:
            q_s = model.encode(image)
            return sticks.responsibilities(q_s.mean(), q_s.variance(), *self.parameters())
        draws = model.codes(image, num_samples, seed)
        of_draws = sticks.responsibilities(
            tf.reshape(draws, [-1, self.latent_dim]), tf.zeros([1, self.latent_dim]), *self.parameters()
        )
        return tf.reduce_mean(tf.reshape(of_draws, [num_samples, -1, self.config.most]), axis=0)

    def _serve(self, model, image):
        probs = self.cluster(model, image)
        return {"cluster": tf.argmax(probs, axis=-1), "cluster_probabilities": probs}


def _even_sticks(num):
    """Logits [J − 1] of sticks by which every cluster weighs 1 / J: v_j = 1 / (J − j + 1)."""
    return -tf.math.log(tf.range(num - 1, 0, -1, dtype=tf.float32))
