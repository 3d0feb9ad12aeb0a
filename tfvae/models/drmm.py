"""The deep rendering mixture model: a convolutional network that can also be run downwards  (Nguyen et al. 2016).

    c ~ Cat(π),  g⁽ˡ⁾ ~ Cat(π_g),  z⁽ᴸ⁾ = μ_c,  z⁽ˡ⁻¹⁾ = Λ_g⁽ˡ⁾ z⁽ˡ⁾,  x ~ N(z⁽⁰⁾, σ² I)

A class's template is rendered level by level through nuisances g = (a, t): which units are on, and where in its block
each one lies. Finding the most probable g and c of an image is the forward pass of a convolutional network; rendering
them again is the same network backwards. It is learned by hard EM, whose M-step is a step of gradient descent.
"""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae import ranges
from tfvae.batch import IMAGE, LABEL, LABELLED
from tfvae.capabilities import Capability, Endpoint
from tfvae.models.base import GenerativeModel, Objective, all_images, row_seeds
from tfvae.models.players import Player
from tfvae.networks import rendering
from tfvae.probability import noise

KL_SIGNS = {"code": -1.0, "printed": 1.0}
REDUCTIONS = ("mean", "sum")
RENDERED = ("most_probable", "expected")
# Of a minibatch, in the running average of the nuisances' frequencies.
_FREQUENCY_RATE = 0.01


@dataclasses.dataclass
class Config:
    """Nguyen et al. 2016, section 4 and table 6.

    Args:
        network: of both directions.
        label_weight: α_H, of the labels' cross-entropy (eq. 5).
        reconstruction_weight: α_RC, of the squared error (eq. 6). With `kl_weight` and `negativity_weight` 0 as well
            this is the supervised network of the same shape.
        kl_weight: α_KL, of the divergence of q(c | x) from p(c) (eq. 7).
        negativity_weight: α_NN, of negative parts of the templates between class and image (eq. 8).
        balance_weight: of log K − H(mean q), which keeps a minibatch from losing a class; the source has none.
        kl_sign: `code`, the authors' code subtracts the divergence, so that decisions become sharp; `printed`, eq. 7
            is added, which pulls them to uniform.
        reduction: of squared error and negative parts over pixels and units: `mean`, or `sum` as eqs. (6) and (8)
            print.
        rendered: which classes of an unlabelled image are rendered in training: the `most_probable` one, or
            `expected`, Σ_c q(c | x) of the error over classes (section 4.2).
        rendered_classes: of `expected`, how many; 0 for all. With fewer than all these are the most probable one and
            draws from the others, an unbiased estimate.
        start_steps: steps of a player `start` that learns before the player `model` does, with an optimiser of its own
            (`training.players`); 0 for none.
        compile_step: loss and gradients compiled by XLA.
    """

    network: rendering.Config = dataclasses.field(default_factory=rendering.Config)
    label_weight: float = ranges.field(1.0, ranges.WEIGHTS)
    reconstruction_weight: float = ranges.field(0.2, ranges.WEIGHTS)
    kl_weight: float = ranges.field(1.0, ranges.WEIGHTS)
    negativity_weight: float = ranges.field(1.0, ranges.WEIGHTS)
    balance_weight: float = ranges.field(0.0, ranges.WEIGHTS)
    kl_sign: str = ranges.field("code", ranges.Choices(KL_SIGNS))
    reduction: str = ranges.field("mean", ranges.Choices(REDUCTIONS))
    rendered: str = ranges.field("most_probable", ranges.Choices(RENDERED))
    rendered_classes: int = ranges.field(0, ranges.WIDTHS._replace(least=2, besides=(0,)))
    start_steps: int = ranges.field(0, ranges.COUNTS)
    compile_step: bool = False

    # It scores images by an energy.
    has_density: ClassVar[bool] = False

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "set `model.label_weight=0`"} if self.label_weight else {}

    def build(self, info, seed=0):
        return DRMM(self, info, seed)

    def check(self, num_classes):
        """Checks the settings against the data, and warns of those that are known to learn badly.

        Raises:
            ValueError: if they do not fit.
        """
        if num_classes < 2:
            raise ValueError(
                f"A DRMM needs labels of at least two classes, the data has {num_classes}. Use a `vae` preset for "
                "images without labels."
            )
        if self.rendered_classes > num_classes:
            raise ValueError(
                f"`model.rendered_classes` is 0 for all, or 2 to {num_classes}, got {self.rendered_classes}."
            )
        if self.kl_sign == "printed" and self.kl_weight and self.rendered == "most_probable":
            logging.warning(
                "`model.kl_sign=printed` adds eq. 7, and with the most probable class alone nothing opposes its pull "
                "to a uniform q(c | x): `model.kl_sign=code` is what the authors' code does."
            )
        if self.reduction == "sum" and (self.reconstruction_weight or self.negativity_weight):
            logging.warning(
                "`model.reduction=sum`, as eqs. (6) and (8) print, grows with the image: on MNIST the first gradient "
                "is 100 times as long as that of means, and the source's rate of 0.2 gives NaN at the fourth step."
            )


class DRMM(GenerativeModel):
    """A deep rendering mixture model with non-negative templates.

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    likelihood = "gaussian"

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        config.check(info.num_classes)
        super().__init__(info, seed=seed, compile_step=config.compile_step, **kwargs)
        self.config = config
        self.network = rendering.RenderingNetwork(self.image_shape, info.num_classes, config.network, name="rendering")
        self.widest_layer = self.network.widest
        self.log_num_classes = float(np.log(info.num_classes))

    def capabilities(self):
        return super().capabilities() | {
            Capability.CLASSIFY, Capability.RECONSTRUCT, Capability.ANALOGIES, Capability.RENDER, Capability.ENERGY,
            Capability.ACTIVATIONS, Capability.TEMPLATES,
        }  # fmt: skip

    def supervised_network(self):
        return self.config.network

    def players(self):
        if not self.config.start_steps:
            return super().players()
        (whole,) = super().players().values()
        return {
            "start": Player(whole.objective, whole.variables, ends=self.config.start_steps),
            "model": Player(whole.objective, whole.variables, begins=self.config.start_steps),
        }

    # Learning.

    def objective(self, batch, seed, training=False):
        """α_H L_H + α_RC L_RC ± α_KL L_KL + α_NN L_NN, of the nuisances that the forward pass infers (eqs. 5 to 8)."""
        config, (x, label) = self.config, _labelled_first(batch)
        inference = self.network.infer(x, training)
        log_q = tf.nn.log_softmax(inference.logits)
        entropy = -tf.reduce_sum(tf.exp(log_q) * log_q, axis=-1)
        kl = self.log_num_classes - entropy
        balance = self.log_num_classes - _entropy_of_mean(log_q)
        terms = {"kl": kl, "label_entropy": entropy, "balance": balance[None]}
        loss = KL_SIGNS[config.kl_sign] * config.kl_weight * tf.reduce_mean(kl) + config.balance_weight * balance
        if label is not None:
            terms["label_log_prob"] = tf.gather(log_q[: tf.shape(label)[0]], label, batch_dims=1)
            loss -= config.label_weight * tf.reduce_mean(terms["label_log_prob"])
        if not training or config.reconstruction_weight or config.negativity_weight:
            y, weights = self._rendered_classes(self._known_classes(tf.exp(log_q), label), seed)
            terms["squared_error"], terms["negativity"] = self._rendering_terms(x, y, weights, inference.masks)
            loss += config.reconstruction_weight * tf.reduce_mean(terms["squared_error"])
            loss += config.negativity_weight * tf.reduce_mean(terms["negativity"])
        if training:
            self.network.record(inference, tf.exp(log_q), _FREQUENCY_RATE)
        return Objective(loss, terms)

    def _known_classes(self, q, label):
        """q(c | x), and of the first, labelled images the true class: [B, K]."""
        return q if label is None else tf.concat([tf.one_hot(label, self.num_classes), q[tf.shape(label)[0] :]], axis=0)

    def _rendered_classes(self, q, seed):
        """Which classes of every image are rendered: one-hot y [M, B, K] and their weights [M, B].

        Exactly or in expectation over draws, Σ_m w_m f(y_m) = Σ_c q(c) f(c), or, of the most probable class, f(ĉ).
        """
        best = tf.one_hot(tf.argmax(q, axis=-1), self.num_classes)
        if self.config.rendered == "most_probable":
            return best[None], tf.ones_like(q[None, :, 0])
        num, classes = self.config.rendered_classes or self.num_classes, self.num_classes
        # The others in an order that is drawn anew for every image: the first of them are a draw without replacement.
        order = tf.argsort(noise.uniform(tf.shape(q), seed) + 2.0 * best, axis=-1)
        others = tf.one_hot(tf.transpose(order[:, : num - 1]), classes)
        shares = tf.constant([1.0] + [(classes - 1) / (num - 1)] * (num - 1))
        y = tf.concat([best[None], others], axis=0)
        return y, shares[:, None] * tf.einsum("mbk,bk->mb", y, q)

    def _rendering_terms(self, x, y, weights, masks):
        """Squared error and negative parts of the templates, their mean by the classes' weights: [B] each.

        A mask is a constant: no gradient runs through the choice of what is on, or where.
        """
        num = y.shape[0]
        templates = self.network.render(
            tf.reshape(y, [-1, self.num_classes]),
            [tf.tile(tf.stop_gradient(mask), [num, 1, 1, 1]) for mask in masks] if num > 1 else masks,
        )
        image = tf.cast(templates[-1], tf.float32)
        of_image = self._reduced((tf.tile(x, [num, 1, 1, 1]) if num > 1 else x) - image)
        # z⁽ᴸ⁾ is the class's own template, one-hot, and z⁽⁰⁾ is the image: what lies between may be negative.
        of_templates = tf.add_n([self._reduced(tf.nn.relu(-tf.cast(z, tf.float32))) for z in templates[1:-1]])
        return tuple(
            tf.reduce_sum(weights * tf.reshape(term, tf.shape(weights)), 0) for term in (of_image, of_templates)
        )

    def _reduced(self, difference):
        """Squares over all but the rows: [N, ...] -> [N]."""
        reduce = tf.reduce_mean if self.config.reduction == "mean" else tf.reduce_sum
        return reduce(tf.square(difference), axis=[1, 2, 3])

    # Answers.

    def classify(self, image, num_samples=1, seed=None):
        """q(c | x), the forward pass: probabilities [B, K]."""
        del num_samples, seed  # There is no draw in it.
        return tf.nn.softmax(self.network.infer(image).logits)

    def reconstruct(self, image):
        """The most probable class rendered with the image's own nuisances: [B, H, W, C]."""
        return self.templates(image)[-1]

    def templates(self, image):
        """z⁽ᴸ⁾, ..., z⁽⁰⁾ of images: the renderings of their most probable class, from the class to the image."""
        logits, masks, _ = self.network.infer(image)
        return self.network.render(tf.one_hot(tf.argmax(logits, axis=-1), self.num_classes), masks)

    def analogies(self, image):
        """Every image as every class, with its own nuisances: [B, K, H, W, C].

        The topmost switches are those of its own class for all classes: another's are off, and would render nothing.
        """
        num, classes = tf.shape(image)[0], self.num_classes
        logits, (*masks, top), _ = self.network.infer(image)
        own = tf.gather(top, tf.argmax(logits, axis=-1), axis=-1, batch_dims=1)[..., None]  # [B, h, w, 1]
        masks = [tf.repeat(mask, classes, axis=0) for mask in (*masks, own * tf.ones_like(top))]
        rendered = self.network.render(tf.tile(tf.eye(classes), [num, 1]), masks)[-1]
        return tf.reshape(rendered, [num, classes, *self.image_shape])

    def render(self, label, seed):
        """Classes rendered with nuisances from their prior, one draw each: [B] -> [B, H, W, C]."""
        y = tf.one_hot(label, self.num_classes)
        return self.network.render(y, self.network.draw(tf.shape(y)[0], seed))[-1]

    def sample(self, num, seed, label=None):
        class_seed, nuisance_seed = noise.split(seed, 2)
        if label is None:
            labels = tf.cast(noise.uniform([num], class_seed) * self.num_classes, tf.int32)
        else:
            labels = tf.fill([num], label)
        return self.render(labels, nuisance_seed)

    def energy(self, image):
        """‖x − μ_ĉĝ‖² of the most probable class and nuisances: [B].

        2 σ² (−log p(x, ĉ, ĝ)) up to a constant: how badly the model renders an image. It is no density: nothing sums
        over classes and nuisances, and models of other networks are not comparable by it.
        """
        difference = image - tf.cast(self.reconstruct(image), tf.float32)
        return tf.reduce_sum(tf.square(difference), axis=[1, 2, 3])

    def activations(self, image):
        """What every layer hands on, name -> [B, h, w, C], from the image up."""
        return {layer.name: maps for layer, maps in zip(self.network.layers, self.network.infer(image).activations)}

    def endpoints(self):
        image = tf.TensorSpec([None, *self.image_shape], tf.float32, name=IMAGE)
        seed = tf.TensorSpec([None], tf.int64, name="seed")
        label = tf.TensorSpec([None], tf.int64, name=LABEL)
        return super().endpoints() | {
            "render": Endpoint(lambda label, seed: {IMAGE: self._serve_render(label, seed)}, [label, seed]),
            # Asked as every other model's `score` is, though no draw is in it.
            "score": Endpoint(lambda image, seed: {"energy": self.energy(image)}, [image, seed]),
        }

    def _serve_render(self, label, seed):
        known = tf.debugging.Assert(
            tf.reduce_all((label >= 0) & (label < self.num_classes)),
            [f"`{LABEL}` must lie in 0 to {self.num_classes - 1}, got", label],
        )
        with tf.control_dependencies([known] if known is not None else []):  # Eagerly it was checked already.
            rows = (tf.identity(label), row_seeds(seed))
        return tf.map_fn(lambda row: self.render(row[0][None], row[1])[0], rows, fn_output_signature=tf.float32)


def _entropy_of_mean(log_q):
    """H of the classes' shares of a minibatch, nats: []."""
    mean = tf.reduce_mean(tf.exp(log_q), axis=0)
    return -tf.reduce_sum(tf.math.xlogy(mean, mean))


def _labelled_first(batch):
    """Images of every stream, those with labels first, and these labels, or None where there are none."""
    names = sorted(batch, key=lambda stream: stream != LABELLED)
    label = batch[LABELLED][LABEL] if LABELLED in batch else None
    return all_images({name: batch[name] for name in names}), label
