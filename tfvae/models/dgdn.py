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
from tfvae.batch import CAPTION, CAPTIONED, IMAGE
from tfvae.capabilities import Capability
from tfvae.heads import caption as captions
from tfvae.heads import targets
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.heads.caption import Caption
from tfvae.heads.softmax import Softmax
from tfvae.inference.maps import MapDraw, MapLikelihood, expected, hard_draw, most_probable, total_divergence
from tfvae.inference.nvil import LocalNvil, Nvil
from tfvae.inference.straight_through import GumbelSoftmax, LocalExpectation
from tfvae.layers import unpooling
from tfvae.layers.precision import Precision
from tfvae.models.base import Endpoint, LatentVariableModel, Objective, all_images
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import dgdn
from tfvae.networks.caption import CaptionEncoder
from tfvae.probability import families, noise

UNPOOLINGS = ("stochastic", "deterministic")
MAP_GRADIENTS = ("nvil", "nvil_local", "gumbel", "local_expectation")
# Name -> (config, Z, K) -> a head for labels.
HEADS = {
    "bayesian_svm": lambda config, latent_dim, num_classes: BayesianSvm(
        latent_dim, num_classes, config.gamma, name="label_svm"
    ),
    "softmax": lambda config, latent_dim, num_classes: Softmax(latent_dim, num_classes, name="label_softmax"),
}

# Keeps the noise of captions apart from that of codes.
_CAPTION_NOISE = 1

_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclasses.dataclass
class Config:
    """DGDN with, or without, a head for labels.

    Args:
        network: sizes of the layers.
        unpooling: `stochastic`; or `deterministic`, where the encoder takes the maximum of a block and the decoder
            writes to its top left cell (the baseline "VAE-d").
        map_gradient: the estimator of the gradient through the maps: `nvil` (the source's), `nvil_local`, `gumbel`, or
            `local_expectation`, which learns fastest by far (measured by `tools/benchmarks/estimators.py`).
        temperature: of `gumbel`.
        head: for labels, one of `HEADS`: `bayesian_svm` or `softmax`.
        label_weight: times N_x / (C ρ) it is the weight ξ of a label, ρ being the labelled share of a batch and N_x the
            number of pixels; 0 for a model without a head for labels.
        caption_weight: times N_x / (T ρ) it is the weight of a caption of T words, its end counted, ρ being the
            captioned share; 0 for a model without a head for captions.
        caption: sizes of that head, and how it chooses captions.
        caption_encoder: whether q(s | Y) is learned too: images from captions, and retrieval.
        caption_kl_warmup_steps: steps over which the weight of KL(q(s | Y) ‖ p(s)) rises to 1; 0 for none.
        gamma: γ of the Bayesian support vector machine.
        initial_precision: α₀ before training, observations being on the scale of the transform.
        num_samples: S, draws of (u, s) an image in training.
        kl_warmup_steps: steps over which the weight of the KL of s rises to 1; 0 for none.
        compile_pooling: in training XLA compiles the pooling (measured by `tools/benchmarks/unpooling.py`).
        freeze_image_model: only the heads are trained, on codes of an image model from `training.start_from`: transfer,
            and the two-step baseline.
    """

    network: dgdn.Config = dataclasses.field(default_factory=dgdn.Config)
    unpooling: str = "stochastic"
    map_gradient: str = "local_expectation"
    temperature: float = 1.0
    head: str = "bayesian_svm"
    label_weight: float = 1.0
    caption_weight: float = 0.0
    caption: captions.Config = dataclasses.field(default_factory=captions.Config)
    caption_encoder: bool = False
    caption_kl_warmup_steps: int = 0
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


class DGDN(LatentVariableModel):
    """Deep generative deconvolutional network, learned by a recognition model.

    The loss is  −mean_x U(x) − (B_l / B) ξ mean_l log p(y | s) − (B_c / B) mean_c ξ_c log p(Y | s),  the means over all
    images of a batch, the labelled and the captioned ones, with ξ = `label_weight` · N_x / (C ρ), ρ = B_l / B, and
    ξ_c = `caption_weight` · N_x / (T ρ), ρ = B_c / B: eqs. (11), (12) and (29) divided by the batch.

    With a caption encoder the captioned images add  −(B_c / B) mean_c V(x, Y),

        V(x, Y) = E_{q(s|Y) q(u|x)}[ log p(x | s, u) + ξ_c log p(Y | s) ] − KL(q(s | Y) ‖ p(s)),

    (Pu 2017, eq. 3.40 "in a similar manner"), in which the maps are taken as they are: they learn by U.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        super().__init__(info, seed=seed, kl_warmup_steps=config.kl_warmup_steps, **kwargs)
        _check(config, info)
        self.config = config
        self.stochastic = config.unpooling == "stochastic"
        self.deconvnet = dgdn.Deconvnet(info.image_shape, config.network, with_maps=self.stochastic, name="image_model")
        self.latent_dim = int(np.prod(self.deconvnet.code_shape))
        self.widest_layer = self.deconvnet.widest_layer
        self.p_s = families.standard_normal(self.latent_dim)
        self.precision = Precision(config.initial_precision, name="alpha0")
        learns_maps = self.stochastic and not config.freeze_image_model
        self.map_gradient = _map_gradient(config, self.deconvnet, info.image_shape) if learns_maps else None
        self.heads, num_pixels = {}, info.image_shape[0] * info.image_shape[1]
        self.scales = {"label": config.label_weight * num_pixels, "caption": config.caption_weight * num_pixels}
        if config.label_weight:
            self.heads["label"] = HEADS[config.head](config, self.latent_dim, info.num_classes)
        if config.caption_weight:
            sizes = self.latent_dim, info.vocabulary, info.caption_length
            self.heads["caption"] = Caption(*sizes, config.caption, name="caption_words")
        self.q_s_given_caption = None
        if config.caption_encoder:
            encoder = CaptionEncoder(self.latent_dim, len(info.vocabulary), config.caption, name="q_s_words")
            self.q_s_given_caption = encoder
        self.deconvnet.trainable = self.precision.trainable = not config.freeze_image_model

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
            *map_seeds, s_seed = [None] * (self.deconvnet.num_pooled + 1)
        else:
            *map_seeds, s_seed = noise.split(seed, self.deconvnet.num_pooled + 1)
        pool = tf.function(self._pool, jit_compile=True) if compiled else self._pool
        maps, draws = self.deconvnet.up(image, 0), []
        if num_samples > 1:  # The first layer's filters are the same for every draw.
            maps = tf.tile(maps, [num_samples, 1, 1, 1])
        for layer in range(self.deconvnet.num_pooled):
            if self.stochastic:
                maps, drawn = pool(maps, layer, map_seeds[layer], draw)
                draws.append(drawn)
            else:
                block = self.deconvnet.levels[layer].block
                maps = tf.nn.max_pool2d(maps, block, block, "VALID")
            maps = self.deconvnet.up(maps, layer + 1)
        q_s = families.DiagGaussian(*self.deconvnet.code(maps))
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
        draw = self.map_gradient.draw if self.map_gradient else hard_draw
        inferred = self.infer(image, num, seed, draw, compiled=training and self.config.compile_pooling)
        if training and self.map_gradient:
            self.deconvnet.follow_maps([draw.logits for draw in inferred.draws])
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        lowest = self.deconvnet.lowest(inferred.s, masks)
        log_pixels = self.log_p_pixels(image, self.deconvnet.image(lowest, masks))
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
        told = targets.explained(self.heads, self.scales, inferred.s, batch, num, self.info.num_labelled)
        of_captions, caption_terms = self._of_captions(batch, masks, seed, training)
        terms |= {**told.terms, **caption_terms}
        extra = told.prior + of_captions
        rest = -self.kl_weight(training) * kl_s + told.value
        if self.config.freeze_image_model:
            return Objective(-tf.reduce_mean(told.value) - extra, terms)
        if not inferred.draws:
            return Objective(-tf.reduce_mean(log_likelihood + rest) - extra, terms)
        evidence = MapLikelihood(tf.tile(image, [num, 1, 1, 1]), log_pixels, rest, lowest, tf.exp(self.precision.log()))
        surrogate = self.map_gradient.surrogate(inferred.draws, evidence, training)
        return Objective(-tf.reduce_mean(surrogate.value) - extra + surrogate.loss, terms)

    def _of_captions(self, batch, masks, seed, training):
        """(B_c / B) mean of V(x, Y) over the captioned images, and its terms."""
        if self.q_s_given_caption is None or CAPTIONED not in batch:
            return 0.0, {}
        head, scale = self.heads["caption"], self.scales["caption"]
        (target,) = targets.targets({"caption": head}, batch)
        q_s = self.encode_caption(target.values)
        s = q_s.sample(seed=noise.fold_in(seed, _CAPTION_NOISE))
        given = [tf.stop_gradient(mask[target.first : target.end]) for mask in masks]  # Of the first draw.
        log_pixels = self.log_p_pixels(batch[CAPTIONED][IMAGE], self.deconvnet.top_down(s, given))
        log_likelihood = tf.reduce_sum(log_pixels, axis=[1, 2])
        kl = tf.reduce_sum(gaussian_kl_per_unit(q_s), axis=-1)
        log_p_y = targets.weight(head, scale, target.values, target.share) * head.log_prob(s, target.values)
        bound = log_likelihood - self.warmed_up(self.config.caption_kl_warmup_steps, training) * kl + log_p_y
        terms = {"caption_log_likelihood": log_likelihood, "caption_kl_s": kl}
        return target.share * tf.reduce_mean(bound), terms

    # What can be asked of the model.

    def capabilities(self):
        found = super().capabilities() | {Capability.CODES, Capability.DICTIONARY}
        of_heads = {"label": Capability.CLASSIFY, "caption": Capability.CAPTION}
        found |= {of_heads[name] for name in self.heads}
        return found | ({Capability.IMAGE_FROM_CAPTION} if self.q_s_given_caption is not None else set())

    def supervised_network(self):
        return self.config.network

    def dictionary_elements(self, layer):
        """Elements of a layer (from 0) in the image plane, through the most probable maps: [K, H, W, C]."""
        return self.deconvnet.elements(layer, self.deconvnet.usual_masks())

    def encode(self, image):
        """q(s | x) at the expectation of every pooled value.

        The code of the most probable maps would be that of pooling that the encoder never trained with: a linear
        classifier of it errs up to twice as often as the mean over draws, of the expected one hardly more often.
        """
        return self.infer(image, 1, None, expected).q_s

    def decode(self, z, masks=None):
        """p(x | s, u), or, without masks, a Gaussian at the mean of p(x | s): every cell gets its share of a value."""
        mean = self.deconvnet.top_down(z, self.deconvnet.even_masks(tf.shape(z)[0]) if masks is None else masks)
        return families.tfd.Independent(families.tfd.Normal(mean, tf.exp(-0.5 * self.precision.log())), 3)

    def reconstruct(self, image):
        inferred = self.infer(image, 1, None, most_probable)
        return self.deconvnet.top_down(inferred.s, self._masks(inferred.draws, tf.shape(image)[0]))

    def sample(self, num, seed):
        *map_seeds, s_seed = noise.split(seed, self.deconvnet.num_pooled + 1)
        return self.deconvnet.top_down(self.p_s.sample(num, seed=s_seed), self.deconvnet.prior_masks(num, map_seeds))

    def log_prob_bound(self, image, num_samples, seed):
        inferred = self.infer(image, num_samples, seed)
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        log_p_x = tf.reduce_sum(self.log_p_pixels(image, self.deconvnet.top_down(inferred.s, masks)), axis=[1, 2])
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
        image = tf.TensorSpec([None, *self.image_shape], tf.float32, name=IMAGE)
        words = tf.TensorSpec([None, self.info.caption_length], tf.int32, name=CAPTION)
        if "caption" in self.heads:
            served["caption"] = Endpoint(self._serve_caption, [image])
        if self.q_s_given_caption is not None:
            served["encode_caption"] = Endpoint(self._serve_encode_caption, [words])
            served["image_from_caption"] = Endpoint(lambda words: {IMAGE: self.image_from_caption(words)}, [words])
        return served

    def encode_caption(self, words):
        """q(s | Y) of captions int32 [B, T]."""
        return families.DiagGaussian(*self.q_s_given_caption(words))

    def encode_moments(self, image):
        """Mean and variance of q(s | x): [B, Z] each."""
        q_s = self.encode(image)
        return q_s.mean(), q_s.variance()

    def encode_caption_moments(self, words):
        """Mean and variance of q(s | Y): [B, Z] each."""
        q_s = self.encode_caption(words)
        return q_s.mean(), q_s.variance()

    def image_from_caption(self, words):
        """The image of the mean of q(s | Y) by the collapsed dictionary, int32 [B, T] -> [B, H, W, C].

        Pu 2017, eq. (3.49): every pooled layer is unpooled by the map that was the most probable one in training.
        """
        s = self.encode_caption(words).mean()
        return self.deconvnet.top_down(s, self.deconvnet.usual_masks(tf.shape(s)[0]))

    def initialise(self, images):
        del images  # Of no use here.
        if "caption" in self.heads:
            self.heads["caption"].initialise()
            if self.q_s_given_caption is not None and self.config.caption.word_vectors:
                self.q_s_given_caption.w_e.assign(self.heads["caption"].w_e)

    def caption(self, image, num_samples=1, seed=None, decoding=""):
        """Captions of images and their log probabilities: int32 [B, T], [B] in nats.

        Args:
            image: [B, H, W, C].
            num_samples: N_s, draws of the code that are averaged over; only with a seed.
            seed: int32 [2]; None for the mean of `encode`, by a `decoding` that draws no words.
            decoding: `greedy`, `sample` or `beam`, by default the config's.
        """
        of_words = None if seed is None else noise.fold_in(seed, _CAPTION_NOISE)
        return self.caption_of_codes(self.codes(image, num_samples, seed), of_words, decoding)

    def caption_of_codes(self, s, seed=None, decoding=""):
        """As `caption`, for codes [S, B, Z] that are averaged over."""
        config = self.config.caption.decoding
        return self.heads["caption"].predict(s, dataclasses.replace(config, method=decoding or config.method), seed)

    def codes(self, image, num_samples=1, seed=None):
        """Codes [S, B, Z]: the mean of `encode`, or draws of maps and codes where there is a seed."""
        if seed is None:
            return self.encode(image).mean()[None]
        return tf.reshape(self.infer(image, num_samples, seed).s, [num_samples, -1, self.latent_dim])

    def caption_log_prob(self, s, words):
        """log p(Y | x) ≈ log of the mean over S codes of p(Y | s): [S, B, Z], int32 [B, T] -> [B], nats."""
        num = tf.shape(s)[0]
        each = self.heads["caption"].log_prob(tf.reshape(s, [-1, self.latent_dim]), tf.tile(words, [num, 1]))
        return inference.importance_weighted(tf.reshape(each, [num, -1]))

    def _serve_caption(self, image):
        # A served caption is the same every time, so it is not drawn.
        method = self.config.caption.decoding.method
        words, log_p = self.caption(image, decoding="beam" if method == "sample" else method)
        return {CAPTION: words, "log_prob": log_p}

    def _serve_encode_caption(self, words):
        q_s = self.encode_caption(words)
        return {"mean": q_s.mean(), "stddev": q_s.stddev()}

    def classify(self, image, num_samples=1, seed=None):
        """p(y | x) [B, K]: of the mean of `encode`, or averaged over draws of maps and codes where there is a seed."""
        return self.heads["label"].predict(self.codes(image, num_samples, seed))

    def transferable_variables(self):
        # Neither the head nor what the estimator learned of its signals.
        return [*self.deconvnet.variables, *self.precision.variables]

    # Maps.

    def _pool(self, maps, layer, seed, draw):
        """The maps pooled, and the `MapDraw` by which they were."""
        block = self.deconvnet.levels[layer].block
        drawn = draw(self.deconvnet.pooling[layer](maps), block, seed)
        return unpooling.pool(maps, drawn.up, block), drawn

    def _masks(self, draws, num):
        """The masks of `MapDraw`s; the top left cell of every block where unpooling is deterministic."""
        return [draw.down for draw in draws] if self.stochastic else self.deconvnet.usual_masks(num)


class _Mean:
    """The mean over draws, [S·B] -> [B]."""

    def __init__(self, num_samples):
        self.num_samples = num_samples

    def __call__(self, values):
        return tf.reduce_mean(tf.reshape(values, [self.num_samples, -1]), axis=0)


def _map_gradient(config, deconvnet, image_shape):
    if config.map_gradient == "gumbel":
        return GumbelSoftmax(config.temperature, name="gumbel")
    if config.map_gradient == "local_expectation":
        return LocalExpectation(deconvnet, name="local_expectation")
    kind = LocalNvil if config.map_gradient == "nvil_local" else Nvil
    return kind(deconvnet, image_shape, name="maps_nvil")


def _check(config, info):
    """Raises ValueError for what is no model."""
    choices = (("unpooling", UNPOOLINGS), ("map_gradient", MAP_GRADIENTS), ("head", HEADS))
    for name, known in choices:
        if getattr(config, name) not in known:
            raise ValueError(f"`model.{name}` must be one of {tuple(known)}, got {getattr(config, name)!r}.")
    if len(info.image_shape) != 3:
        raise ValueError(
            f"DGDN convolves images [H, W, C], got observations of shape {info.image_shape}: set "
            "`data.transform.flatten=False` and `data.transform.min_pixel_std=0`."
        )
    targets.check_classes(config.label_weight, info.num_classes)
    if config.caption_weight and not info.vocabulary:
        raise ValueError(
            "A head for captions needs captions: set `data.captioned_batch` above 0, or `model.caption_weight=0`."
        )
    if config.caption_encoder and not config.caption_weight:
        raise ValueError("`model.caption_encoder` needs the head for captions: set `model.caption_weight` above 0.")
    if config.freeze_image_model and not (config.label_weight or config.caption_weight):
        raise ValueError(
            "With `model.freeze_image_model`, and both `model.label_weight` and `model.caption_weight` 0, nothing is "
            "left to train."
        )
