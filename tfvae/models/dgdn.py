"""p(s) p(u) p(x | s, u) with q(u | x) q(s | x, u): the deep generative deconvolutional network.

s is the code at the top, u the maps that say where each pooled value goes when it is unpooled; p(x | s, u) is a
Gaussian with one precision α₀, whose mean is linear in s once u is given. What else is known of an image hangs on s.

Pu et al. 2016, "Variational autoencoder for deep learning of images, labels and captions"; Pu 2017, chapter 3.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import inference
from tfvae.batch import LABEL, LABELLED
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.heads.softmax import Softmax
from tfvae.inference.maps import Evidence, MapDraw, expected, hard_draw, most_probable, total_divergence
from tfvae.inference.nvil import LocalNvil, Nvil
from tfvae.inference.straight_through import GumbelSoftmax, LocalExpectation
from tfvae.layers import unpooling
from tfvae.layers.precision import Precision
from tfvae.models.base import Endpoint, GenerativeModel, Objective, all_images
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import dgdn
from tfvae.probability import families, noise

UNPOOLINGS = ("stochastic", "deterministic")
ESTIMATORS = ("nvil", "nvil_local", "gumbel", "local_expectation")
HEADS = ("bayesian_svm", "softmax")

_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclasses.dataclass
class Config:
    """DGDN with, or without, a head for labels.

    Args:
        network: sizes of the layers.
        unpooling: `stochastic`; or `deterministic`, where the encoder takes the maximum of a block and the decoder
            writes to its top left cell (the baseline "VAE-d").
        estimator: of the gradient through the maps: `nvil` (the source's), `nvil_local`, `gumbel`, or
            `local_expectation`, which learns fastest by far (measured by `tools/benchmarks/estimators.py`).
        temperature: of `gumbel`.
        head: `bayesian_svm` or `softmax`.
        label_weight: times N_x / (C ρ) it is the weight ξ of a label, ρ being the labelled share of a batch and N_x the
            number of pixels; 0 for a model of images alone, without a head.
        gamma: γ of the Bayesian support vector machine.
        initial_precision: α₀ before training, observations being on the scale of the transform.
        num_samples: S, draws of (u, s) an image in training.
        kl_warmup_steps: steps over which the weight of the KL of s rises to 1; 0 for none.
        compile_pooling: in training XLA compiles the pooling (measured by `tools/benchmarks/unpooling.py`).
        freeze_image_model: only the head is trained, on codes of an image model from `training.start_from`: transfer,
            and the two-step baseline.
    """

    network: dgdn.Config = dataclasses.field(default_factory=dgdn.Config)
    unpooling: str = "stochastic"
    estimator: str = "local_expectation"
    temperature: float = 1.0
    head: str = "bayesian_svm"
    label_weight: float = 1.0
    gamma: float = 1.0
    initial_precision: float = 10.0
    num_samples: int = 1
    kl_warmup_steps: int = 0
    compile_pooling: bool = True
    freeze_image_model: bool = False

    def build(self, info, seed=0):
        return DGDN(self, info, seed)


class Inferred(NamedTuple):
    """Draws from q(u, s | x) for N = S·B images, a draw of all images after the other.

    draws: a `MapDraw` for every pooled layer, from the image up; () for deterministic unpooling.
    q_s:   q(s | x, u), batch shape [N].
    s:     [N, Z].
    """

    draws: tuple[MapDraw, ...]
    q_s: families.DiagGaussian
    s: tf.Tensor


class DGDN(GenerativeModel):
    """Deep generative deconvolutional network, learned by a recognition model.

    The loss is  −mean_x U(x) − (B_l / B) ξ mean_l log p(y | s),  the means over all images of a batch and over the
    labelled ones, with ξ = `label_weight` · N_x / (C ρ) and ρ = B_l / B: eqs. (11) and (29) divided by the batch.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(info, seed=seed, kl_warmup_steps=config.kl_warmup_steps, **kwargs)
        _check(config, info)
        self.config = config
        self.stochastic = config.unpooling == "stochastic"
        self.ladder = dgdn.Ladder(info.image_shape, config.network, with_maps=self.stochastic, name="image_model")
        self.latent_dim = int(np.prod(self.ladder.code_shape))
        self.p_s = families.standard_normal(self.latent_dim)
        self.precision = Precision(config.initial_precision, name="alpha0")
        learns_maps = self.stochastic and not config.freeze_image_model
        self.estimator = _estimator(config, self.ladder, info.image_shape) if learns_maps else None
        self.heads = {}
        if config.label_weight:
            self.heads["label"] = _head(config, self.latent_dim, info.num_classes)
            self.classify = self._classify
        self.ladder.trainable = self.precision.trainable = not config.freeze_image_model

    # Inference.

    def infer(self, image, num_samples, seed, draw=hard_draw, compiled=False):
        """Draws of maps and codes.

        Args:
            image: [B, H, W, C].
            num_samples: S.
            seed: int32 [2]; None for the mean code, where `draw` takes none either.
            draw: a function of (logits, block, seed) -> `MapDraw`.
            compiled: whether XLA compiles the pooling, which is many small operations over many blocks. The
                convolutions around it are faster in graph mode.

        Returns:
            `Inferred` of S·B rows.
        """
        if seed is None:
            *map_seeds, s_seed = [None] * (self.ladder.num_pooled + 1)
        else:
            *map_seeds, s_seed = noise.split(seed, self.ladder.num_pooled + 1)
        pool = tf.function(self._pool, jit_compile=True) if compiled else self._pool
        maps, draws = self.ladder.up(image, 0), []
        if num_samples > 1:  # The first layer's filters are the same for every draw.
            maps = tf.tile(maps, [num_samples, 1, 1, 1])
        for layer in range(self.ladder.num_pooled):
            if self.stochastic:
                maps, drawn = pool(maps, layer, map_seeds[layer], draw)
                draws.append(drawn)
            else:
                block = self.ladder.levels[layer].block
                maps = tf.nn.max_pool2d(maps, block, block, "VALID")
            maps = self.ladder.up(maps, layer + 1)
        q_s = families.DiagGaussian(*self.ladder.code(maps))
        return Inferred(tuple(draws), q_s, q_s.mean() if seed is None else q_s.sample(seed=s_seed))

    def log_p_pixels(self, image, mean):
        """log N(x; mean, 1/α₀) summed over the channels of a pixel: [B, H, W, C], [S·B, H, W, C] -> [S·B, H, W]."""
        num = tf.shape(mean)[0] // tf.shape(image)[0]
        log_precision = self.precision.log()
        squares = tf.math.squared_difference(tf.tile(image, [num, 1, 1, 1]), tf.cast(mean, tf.float32))
        channels = float(image.shape[-1])
        constant = 0.5 * channels * (log_precision - _LOG_2_PI)
        return constant - 0.5 * tf.exp(log_precision) * tf.reduce_sum(squares, axis=-1)

    # The objective.

    def objective(self, batch, seed, training=False):
        image, num = all_images(batch), self.config.num_samples
        draw = self.estimator.draw if self.estimator else hard_draw
        inferred = self.infer(image, num, seed, draw, compiled=training and self.config.compile_pooling)
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        lowest = self.ladder.lowest(inferred.s, masks)
        log_pixels = self.log_p_pixels(image, self.ladder.image(lowest, masks))
        kl_s = tf.reduce_sum(gaussian_kl_per_unit(inferred.q_s), axis=-1)
        divergence, log_likelihood = total_divergence(inferred.draws), tf.reduce_sum(log_pixels, axis=[1, 2])
        mean = _Mean(num)
        terms = {
            "bound": mean(log_likelihood - kl_s - divergence),
            "log_likelihood": mean(log_likelihood),
            "kl_s": mean(kl_s),
        }
        if inferred.draws:
            terms["kl_u"] = mean(divergence)
        label_value, label_prior = 0.0, 0.0
        if self.heads and LABELLED in batch:
            label = batch[LABELLED][LABEL]
            log_p_y, label_value, label_prior = self._label_terms(inferred.s, label, image.shape[0])
            terms["label_log_prob"] = mean(log_p_y)
        rest = -self.kl_weight(training) * kl_s + label_value
        if self.config.freeze_image_model:
            return Objective(-tf.reduce_mean(label_value) - label_prior, terms)
        if not inferred.draws:
            return Objective(-tf.reduce_mean(log_likelihood + rest) - label_prior, terms)
        evidence = Evidence(tf.tile(image, [num, 1, 1, 1]), log_pixels, rest, lowest, tf.exp(self.precision.log()))
        surrogate = self.estimator.surrogate(inferred.draws, evidence, training)
        return Objective(-tf.reduce_mean(surrogate.value) - label_prior + surrogate.loss, terms)

    def label_weight(self, num_labelled, num_images):
        """ξ = `label_weight` · N_x / (C ρ) of a batch."""
        height, width, _ = self.image_shape
        return self.config.label_weight * height * width / (self.num_classes * num_labelled / num_images)

    def _label_terms(self, s, label, num_images):
        """log p(y | s) [S·B_l] to report; ξ times its surrogate [S·B], 0 for bare images; the prior's share."""
        num_labelled, num_samples = label.shape[0], self.config.num_samples
        head, xi = self.heads["label"], self.label_weight(num_labelled, num_images)
        labelled = tf.reshape(tf.reshape(s, [num_samples, num_images, -1])[:, :num_labelled], [-1, self.latent_dim])
        repeated = tf.tile(label, [num_samples])
        surrogate = tf.reshape(xi * head.surrogate(labelled, repeated), [num_samples, num_labelled])
        weighted = tf.reshape(tf.pad(surrogate, [(0, 0), (0, num_images - num_labelled)]), [-1])
        # The prior belongs to the whole data set: each labelled image bears its share.
        prior = xi * num_labelled / num_images * head.log_prior() / self.info.num_labelled
        return head.log_prob(labelled, repeated), weighted, prior

    # What can be asked of the model.

    def encode(self, image):
        """q(s | x) at the expectation of every pooled value.

        The code of the most probable maps would be that of pooling that the encoder never trained with: a linear
        classifier of it errs up to twice as often as the mean over draws, of the expected one hardly more often.
        """
        return self.infer(image, 1, None, expected).q_s

    def decode(self, z, masks=None):
        """p(x | s, u), or, without masks, a Gaussian at the mean of p(x | s): every cell gets its share of a value."""
        if masks is None:
            num = tf.shape(z)[0]
            masks = [tf.fill([num, *self._mask_shape(layer)], share) for layer, share in enumerate(self._shares())]
        mean = self.ladder.top_down(z, masks)
        return families.tfd.Independent(families.tfd.Normal(mean, tf.exp(-0.5 * self.precision.log())), 3)

    def reconstruct(self, image):
        inferred = self.infer(image, 1, None, most_probable)
        return self.ladder.top_down(inferred.s, self._masks(inferred.draws, tf.shape(image)[0]))

    def sample(self, num, seed):
        *map_seeds, s_seed = noise.split(seed, self.ladder.num_pooled + 1)
        return self.ladder.top_down(self.p_s.sample(num, seed=s_seed), self.prior_masks(num, map_seeds))

    def prior_masks(self, num, seeds):
        """Masks drawn from the prior, one a pooled layer; the top left cells where unpooling is deterministic."""
        if not self.stochastic:
            return self._masks((), num)
        masks = []
        for layer, seed in enumerate(seeds):
            shape = [num, *self.ladder.map_shape(layer)]
            position = unpooling.uniform_position(shape, self.ladder.num_outcomes[layer], seed)
            masks.append(unpooling.mask_of(position, self.ladder.levels[layer].block))
        return masks

    def log_prob_bound(self, image, num_samples, seed):
        inferred = self.infer(image, num_samples, seed)
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        log_p_x = tf.reduce_sum(self.log_p_pixels(image, self.ladder.top_down(inferred.s, masks)), axis=[1, 2])
        log_w = log_p_x + self.p_s.log_prob(inferred.s) - inferred.q_s.log_prob(inferred.s)
        for draw in inferred.draws:
            log_w -= tf.reduce_sum(draw.log_ratio, axis=[1, 2, 3])
        return inference.importance_weighted(tf.reshape(log_w, [num_samples, -1]))

    def kl_per_unit(self, image, seed):
        inferred = self.infer(image, 1, seed)
        units = {"z": gaussian_kl_per_unit(inferred.q_s)}
        for layer, draw in enumerate(inferred.draws, start=1):
            units[f"u{layer}"] = tf.reduce_sum(draw.divergence, axis=[1, 2])  # A unit is a map.
        return units

    def endpoints(self):
        served = super().endpoints()
        if "label" in self.heads:
            image = tf.TensorSpec([None, *self.image_shape], tf.float32, name="image")
            served = {"classify": Endpoint(lambda image: {"probabilities": self.classify(image)}, [image]), **served}
        return served

    def _classify(self, image, num_samples=1, seed=None):
        """p(y | x) [B, K]: of the mean of `encode`, or averaged over draws of maps and codes where there is a seed."""
        s = self.encode(image).mean() if seed is None else self.infer(image, num_samples, seed).s
        return self.heads["label"].predict(tf.reshape(s, [-1, tf.shape(image)[0], self.latent_dim]))

    def transferable_variables(self):
        # Neither the head nor what the estimator learned of its signals.
        return [*self.ladder.variables, *self.precision.variables]

    def usual_masks(self, image):
        """For every pooled layer the mask of the outcome that is most probable on the average of images: [1, H, W, K].

        Pu 2017, section 3.4.3: what stands for the maps where there is no image to infer them from.
        """
        if not self.stochastic:
            return self._masks((), 1)
        masks = []
        for layer, draw in enumerate(self.infer(image, 1, None, most_probable).draws):
            probs = tf.reduce_mean(tf.nn.softmax(draw.logits), axis=0, keepdims=True)
            masks.append(most_probable(probs, self.ladder.levels[layer].block).down)
        return masks

    def elements(self, layer, masks):
        """Every dictionary element of a layer in the image plane: what one unit in the middle of its map adds.

        Args:
            layer: from 0, the lowest.
            masks: of every pooled layer, [1, H, W, K].

        Returns:
            [K, H, W, C].

        Pu 2017, figures 3.3 and 3.6.
        """
        height, width = self.ladder.levels[layer].maps
        middle = tf.one_hot((height // 2) * width + width // 2, height * width)
        units = tf.eye(self.config.network.elements[layer])
        maps = tf.reshape(middle[:, None] * units[:, None, :], [-1, height, width, units.shape[0]])
        for below in range(layer, 0, -1):
            block = self.ladder.levels[below - 1].block
            mask = tf.repeat(masks[below - 1], units.shape[0], axis=0)
            maps = unpooling.unpool(self.ladder.down(maps, below), mask, block)
        return self.ladder.down(maps, 0)

    # Maps.

    def _pool(self, maps, layer, seed, draw):
        """The maps pooled, and the `MapDraw` by which they were."""
        block = self.ladder.levels[layer].block
        drawn = draw(self.ladder.pooling[layer](maps), block, seed)
        return unpooling.pool(maps, drawn.up, block), drawn

    def _masks(self, draws, num):
        """The masks of `MapDraw`s; the top left cell of every block where unpooling is deterministic."""
        if self.stochastic:
            return [draw.down for draw in draws]
        return [
            unpooling.mask_of(tf.zeros([num, *self.ladder.map_shape(layer)], tf.int32), self.ladder.levels[layer].block)
            for layer in range(self.ladder.num_pooled)
        ]

    def _mask_shape(self, layer):
        height, width = self.ladder.levels[layer].maps
        return (height, width, self.config.network.elements[layer])

    def _shares(self):
        return [1.0 / outcomes for outcomes in self.ladder.num_outcomes]


class _Mean:
    """The mean over draws, [S·B] -> [B]."""

    def __init__(self, num_samples):
        self.num_samples = num_samples

    def __call__(self, values):
        return tf.reduce_mean(tf.reshape(values, [self.num_samples, -1]), axis=0)


def _estimator(config, ladder, image_shape):
    if config.estimator == "gumbel":
        return GumbelSoftmax(config.temperature, name="gumbel")
    if config.estimator == "local_expectation":
        return LocalExpectation(ladder, name="local_expectation")
    kind = LocalNvil if config.estimator == "nvil_local" else Nvil
    return kind(ladder, image_shape, name="maps_nvil")


def _head(config, latent_dim, num_classes):
    if config.head == "softmax":
        return Softmax(latent_dim, num_classes, name="label_softmax")
    return BayesianSvm(latent_dim, num_classes, config.gamma, name="label_svm")


def _check(config, info):
    """Raises ValueError for what is no model."""
    choices = (("unpooling", UNPOOLINGS), ("estimator", ESTIMATORS), ("head", HEADS))
    for name, known in choices:
        if getattr(config, name) not in known:
            raise ValueError(f"`model.{name}` must be one of {known}, got {getattr(config, name)!r}.")
    if len(info.image_shape) != 3:
        raise ValueError(
            f"DGDN convolves images [H, W, C], got observations of shape {info.image_shape}: set "
            "`data.transform.flatten=False` and `data.transform.min_pixel_std=0`."
        )
    if config.label_weight and info.num_classes < 2:
        raise ValueError(
            f"A head for labels needs at least two classes, the data has {info.num_classes}. Set "
            "`model.label_weight=0` for a model of images alone."
        )
    if config.freeze_image_model and not config.label_weight:
        raise ValueError("With `model.freeze_image_model` and `model.label_weight=0` nothing is left to train.")
