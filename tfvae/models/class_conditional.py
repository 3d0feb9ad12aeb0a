"""What M2, ADGM and SDGM share: a label y that is observed for few images and summed out for the others.

A family states `log_weights(x, y)` for a table of classes; the objective, the classifier's weight, the analogies and
the served functions follow. All classes are evaluated in one batched pass.
"""

import abc
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import IMAGE, LABEL, LABELLED, UNLABELLED
from tfvae.capabilities import Capability
from tfvae.inference.bound import LogWeights, bound
from tfvae.inference.label import log_mean_probs
from tfvae.models.base import LatentVariableModel, Objective
from tfvae.probability import noise


class ClassTable(NamedTuple):
    """Draws of the latent variables for images and a table of classes.

    weights: `LogWeights` [S, B, C], log p(x, y, a, z) − log q(a, z | x, y), for the C classes asked for.
    log_q_y: [S, B, K], log q(y | a, x), or [1, B, K] where the classifier does not depend on a draw.
    """

    weights: LogWeights
    log_q_y: tf.Tensor


class ClassConditionalModel(LatentVariableModel, abc.ABC):
    """log p(x, y) ≥ −L(x, y) for labelled images, log p(x) ≥ −U(x) for unlabelled ones.

    The loss is  mean L(x_l, y_l) − α mean log q(y_l | x_l) + mean U(x_u),  each mean over its own stream, with
    α = β (N_l + N_u) / N_l.  Maaløe et al. 2016, eqs. (12) to (15); eq. (14) prints the sign of α the other way.

    Args:
        config: has `beta`, `bound`, `num_samples`, `kl_warmup_steps`, `weight_prior` and `compile_step`.
        info: `tfvae.batch.DataInfo`; needs at least two classes.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        if info.num_classes < 2:
            raise ValueError(
                f"{type(self).__name__} needs labels of at least two classes, the data has {info.num_classes}. "
                "Use a `vae` preset for images without labels."
            )
        super().__init__(
            info, seed=seed, kl_warmup_steps=config.kl_warmup_steps, compile_step=config.compile_step, **kwargs
        )
        self.config, self.likelihood = config, config.likelihood
        self.bound_of = inference.BOUNDS[config.bound]
        self.bound_over_classes = inference.bound_over_classes(config.bound)
        self.alpha = config.beta * info.num_train / max(info.num_labelled, 1)
        self.log_p_y = -float(np.log(info.num_classes))

    @abc.abstractmethod
    def log_weights(self, x, y, seed, num_samples, training=False) -> ClassTable:
        """Draws for images x [B, 1, D] and one-hot classes y, [B, 1, K] (one each) or [K, K] (all of them)."""

    @abc.abstractmethod
    def classify(self, image, num_samples=1, seed=None):
        """q(y | x): probabilities [B, K].

        Without a seed at the mean of q(a | x), so exactly repeatable; with one, averaged over `num_samples` draws.
        """

    def capabilities(self):
        return super().capabilities() | {Capability.CLASSIFY, Capability.ANALOGIES}

    def supervised_network(self):
        return self.config.network

    def all_classes(self, x, seed, num_samples, training=False):
        """The `ClassTable` of images [B, D] for every class: [S, B, K]."""
        return self.log_weights(x[:, None], tf.eye(self.num_classes), seed, num_samples, training)

    def labelled_bound(self, x, label, seed, training=False):
        """−L(x, y) [B] as a `Bound`, and log E_q(a|x) q(y | a, x) [B] of the true label."""
        y = tf.one_hot(label, self.num_classes)
        table = self.log_weights(x[:, None], y[:, None], seed, self.config.num_samples, training)
        log_p_xy = bound(self.bound_of, _only_class(table.weights), self.kl_weight(training))
        return log_p_xy, tf.reduce_sum(y * log_mean_probs(table.log_q_y), axis=-1)

    def unlabelled_bound(self, x, seed, training=False):
        """−U(x) [B] as a `Bound`, eq. (13), and log q(y | a, x) of its draws."""
        table = self.all_classes(x, seed, self.config.num_samples, training)
        of_weights = functools.partial(self.bound_over_classes, log_q_y=table.log_q_y)
        return bound(of_weights, table.weights, self.kl_weight(training)), table.log_q_y

    def objective(self, batch, seed, training=False):
        labelled_seed, unlabelled_seed = noise.split(seed, 2)
        losses, terms = [], {}
        if LABELLED in batch:
            x, label = batch[LABELLED][IMAGE], batch[LABELLED][LABEL]
            log_p_xy, log_q_label = self.labelled_bound(x, label, labelled_seed, training)
            losses.append(-tf.reduce_mean(log_p_xy.surrogate) - self.alpha * tf.reduce_mean(log_q_label))
            terms |= {"labelled_bound": log_p_xy.value, "label_log_prob": log_q_label}
        # Out of training a labelled image is scored as an unlabelled one too: the bound on log p(x) compares models.
        unlabelled = batch.get(UNLABELLED) or (None if training else batch.get(LABELLED))
        if unlabelled is not None:
            log_p_x, log_q_y = self.unlabelled_bound(unlabelled[IMAGE], unlabelled_seed, training)
            losses.append(-tf.reduce_mean(log_p_x.surrogate))
            terms |= {"bound": log_p_x.value, "label_entropy": _entropy(log_mean_probs(log_q_y))}
        return Objective(tf.add_n(losses) + self._weight_penalty(), terms)

    def _weight_penalty(self):
        """−log N(w; 0, 1) / N over all kernels: the weight prior of the authors' code, as a cost an image."""
        if not self.config.weight_prior:
            return 0.0
        kernels = [v for v in self.trainable_variables if v.path.endswith("kernel")]
        return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) / self.info.num_train

    def log_prob_bound(self, image, num_samples, seed):
        # With y enumerated, (1/S) Σ_s Σ_y w_sy is an unbiased estimate of p(x) in which q(y | x) plays no part.
        log_w = self.all_classes(image, seed, num_samples).weights.value()
        return inference.importance_weighted(tf.reduce_logsumexp(log_w, axis=-1))

    def predicted(self, image):
        """The most probable class as one-hot [B, K]."""
        return tf.one_hot(tf.argmax(self.classify(image), axis=-1), self.num_classes)

    def reconstruct(self, image):
        return self.picture(self.decode(self.encode(image).mean(), y=self.predicted(image)))

    def analogies(self, image):
        """Every image in every class, its style z kept: [B, K, ...] (figure 3a)."""
        num, classes = tf.shape(image)[0], self.num_classes
        z = tf.repeat(self.encode(image).mean(), classes, axis=0)
        y = tf.tile(tf.eye(classes), [num, 1])
        return tf.reshape(self.picture(self.decode(z, y=y)), [num, classes, *self.image_shape])

    def prior_classes(self, num, seed, label=None):
        """One-hot classes [num, K]: uniform draws, or all `label`."""
        if label is not None:
            return tf.one_hot(tf.fill([num], label), self.num_classes)
        draw = tf.cast(noise.uniform([num], seed) * self.num_classes, tf.int32)
        return tf.one_hot(draw, self.num_classes)


def _only_class(weights):
    """[S, B, 1] -> [S, B]."""
    return LogWeights(*(tf.squeeze(part, axis=-1) for part in weights))


def _entropy(log_probs):
    return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)
