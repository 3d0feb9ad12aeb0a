"""p(s) p(u) p(x | s, u) with q(u | x) q(s | x, u): the deep generative deconvolutional network.

s is the code at the top, u the maps that say where each pooled value goes when it is unpooled; p(x | s, u) is a
Gaussian with one precision α₀, whose mean is linear in s once u is given. What else is known of an image hangs on s.

Pu et al. 2016, "Variational autoencoder for deep learning of images, labels and captions"; Pu 2017, chapter 3.
"""

import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import CAPTION, CAPTIONED, LABEL, LABELLED, TAGGED, TAGS
from tfvae.capabilities import Capability
from tfvae.heads import caption as captions
from tfvae.heads import tags as tagging
from tfvae.heads import targets
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.heads.caption import Caption
from tfvae.heads.softmax import Softmax
from tfvae.inference.maps import (
    FrozenMaps,
    MapDraw,
    MapLikelihood,
    NoMaps,
    expected,
    expected_upwards,
    hard_draw,
    total_divergence,
)
from tfvae.inference.nvil import LocalNvil, Nvil
from tfvae.inference.straight_through import GumbelSoftmax, LocalExpectation
from tfvae.layers import unpooling
from tfvae.layers.precision import Precision
from tfvae.models import cluster_prior
from tfvae.models.base import Objective, all_images
from tfvae.models.caption_posterior import CaptionBound, CaptionPosterior
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.models.with_heads import ModelWithHeads
from tfvae.networks import dgdn
from tfvae.probability import families, noise

PRIORS = ("standard", "stick_breaking")
UNPOOLINGS = ("stochastic", "deterministic")
# Name -> (config, deconvnet, image shape) -> an estimator of the gradient through the maps.
MAP_GRADIENTS = {
    "nvil": lambda config, deconvnet, shape: Nvil(deconvnet, shape, name="maps_nvil"),
    "nvil_local": lambda config, deconvnet, shape: LocalNvil(deconvnet, shape, name="maps_nvil"),
    "gumbel": lambda config, deconvnet, shape: GumbelSoftmax(config.temperature, name="gumbel"),
    "local_expectation": lambda config, deconvnet, shape: LocalExpectation(deconvnet, name="local_expectation"),
}
# Name -> (config, Z, K) -> a head for labels.
HEADS = {
    "bayesian_svm": lambda config, latent_dim, num_classes: BayesianSvm(
        latent_dim, num_classes, config.gamma, name="label_svm"
    ),
    "softmax": lambda config, latent_dim, num_classes: Softmax(latent_dim, num_classes, name="label_softmax"),
}

_AT_ONCE = 25  # Images that are encoded together where clusters begin.
_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclasses.dataclass
class Config:
    """DGDN with, or without, a head for labels.

    Args:
        network: sizes of the layers.
        prior: of s: `standard`, N(0, I); or `stick_breaking`, a mixture of Gaussians, by which images are in clusters.
        clusters: of that mixture.
        unpooling: `stochastic`; or `deterministic`, where the encoder takes the maximum of a block and the decoder
            writes to its top left cell (the baseline "VAE-d").
        map_gradient: the estimator of the gradient through the maps: `nvil` (the source's), `nvil_local`, `gumbel`, or
            `local_expectation`, which learns fastest by far (measured by `tools/benchmarks/estimators.py`).
        temperature: of `gumbel`.
        head: for labels, one of `HEADS`: `bayesian_svm` or `softmax`.
        label_weight: times N_x / (C ρ) it is the weight ξ of a label, ρ being the labelled share of a batch; 0 for a
            model without a head for labels.
        caption_weight: times N_x / (T ρ) it is the weight of a caption of T words, its end counted, ρ being the
            captioned share; 0 for a model without a head for captions.
        tag_weight: times N_x / (L ρ) it is the weight of the L tags of an image, ρ being the tagged share; 0 for a
            model without a head for tags.
        target_scale: how N_x is read: `pixels`, H·W, as the sources print it here; or `dimensions`, H·W·C, as Pu 2017,
            section 4.4, does.
        weigh_prior: whether the prior of a head's weights β is multiplied by the weight of a label too, as in 0.1;
            eq. (29) weighs the labels' likelihood alone.
        caption: sizes of that head, and how it chooses captions.
        tags: of that head, how it reads the code, and its priors.
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
    prior: str = ranges.field("standard", ranges.Choices(PRIORS))
    clusters: cluster_prior.Config = dataclasses.field(default_factory=cluster_prior.Config)
    unpooling: str = ranges.field("stochastic", ranges.Choices(UNPOOLINGS))
    map_gradient: str = ranges.field("local_expectation", ranges.Choices(MAP_GRADIENTS))
    temperature: float = ranges.field(1.0, ranges.POSITIVE)
    head: str = ranges.field("bayesian_svm", ranges.Choices(HEADS))
    label_weight: float = ranges.field(1.0, ranges.WEIGHTS)
    caption_weight: float = ranges.field(0.0, ranges.WEIGHTS)
    tag_weight: float = ranges.field(0.0, ranges.WEIGHTS)
    target_scale: str = ranges.field("pixels", ranges.Choices(targets.TARGET_SCALES))
    weigh_prior: bool = False
    caption: captions.Config = dataclasses.field(default_factory=captions.Config)
    tags: tagging.Config = dataclasses.field(default_factory=tagging.Config)
    caption_encoder: bool = False
    caption_kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    gamma: float = ranges.field(1.0, ranges.POSITIVE)
    initial_precision: float = ranges.field(10.0, ranges.POSITIVE)
    num_samples: int = ranges.field(1, ranges.DRAWS)
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    compile_pooling: bool = True
    freeze_image_model: bool = False

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.prior == "stick_breaking" and self.freeze_image_model:
            raise ValueError(
                "`model.freeze_image_model` trains heads alone, so clusters would never learn: set "
                "`model.prior=standard`."
            )
        if self.caption_encoder and not self.caption_weight:
            raise ValueError("`model.caption_encoder` needs the head for captions: set `model.caption_weight` above 0.")
        if self.freeze_image_model and not (self.label_weight or self.caption_weight or self.tag_weight):
            raise ValueError(
                "With `model.freeze_image_model`, and `model.label_weight`, `.caption_weight` and `.tag_weight` 0, "
                "nothing is left to train."
            )

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        of_weights = {LABELLED: "label_weight", CAPTIONED: "caption_weight", TAGGED: "tag_weight"}
        return {stream: f"set `model.{name}=0`" for stream, name in of_weights.items() if getattr(self, name)}

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


class ImageBound(NamedTuple):
    """U(x) of draws, N = S·B images, in its parts.

        U(x) = E_{q(s,u|x)}[ log p(x | s, u) − KL(q(s | x, u) ‖ p(s)) − KL(q(u | x) ‖ p(u)) ]

    masks:      of every pooled layer, [N, H, W, K].
    pooled:     [N, h, w, K], the values that the lowest layer unpools.
    log_pixels: [N, H, W], log p(x | s, u) of each pixel, all its channels.
    kl_s, kl_u: [N], nats; kl_u is 0 without maps.

    Pu et al. 2016, eqs. (10) and (16).
    """

    masks: list[tf.Tensor]
    pooled: tf.Tensor
    log_pixels: tf.Tensor
    kl_s: tf.Tensor
    kl_u: tf.Tensor | float

    def terms(self, num_samples):
        """The bound and its parts, the mean over draws: name -> [B]."""
        log_likelihood = tf.reduce_sum(self.log_pixels, axis=[1, 2])
        parts = {
            "bound": log_likelihood - self.kl_s - self.kl_u,
            "log_likelihood": log_likelihood,
            "kl_s": self.kl_s,
            **({"kl_u": self.kl_u} if tf.is_tensor(self.kl_u) else {}),
        }
        return {name: tf.reduce_mean(tf.reshape(part, [num_samples, -1]), axis=0) for name, part in parts.items()}


class DGDN(ModelWithHeads):
    """Deep generative deconvolutional network, learned by a recognition model.

    The loss is eqs. (11), (12) and (29) divided by the batch,

        −mean_x U(x)                          `image_bound`, of all images
        −(B_l / B) mean_l ξ_l log p(y | s)    `target_terms`, of the labelled ones, ξ_l = `label_weight` N_x / (C ρ)
        −(B_c / B) mean_c ξ_c log p(Y | s)    and of the captioned ones, ξ_c = `caption_weight` N_x / (T ρ)
        −(B_t / B) mean_t ξ_t log p(b | s)    and of the tagged ones, ξ_t = `tag_weight` N_x / (L ρ)
        −log p(β, κ) / N                      their `log_prior`, of a head that has one
        −log p(ν, μ, α) / N                   of clusters, where the prior of s has some
        −(B_c / B) mean_c V(x, Y)             `caption_bound`, where q(s | Y) is learned too,

    with ρ = B_l / B, B_c / B or B_t / B, and U's gradient by `map_gradient`.
    """

    settings_of: ClassVar = {
        Capability.CLASSIFY: "`model.label_weight` above 0",
        Capability.CAPTION: "`model.caption_weight` above 0",
        Capability.CLUSTER: "`model.prior=stick_breaking`",
        Capability.TAG: "`model.tag_weight` above 0",
        Capability.IMAGE_FROM_CAPTION: "`model.caption_encoder=True`",
    }

    def __init__(self, config, info, seed=0, **kwargs):
        shared = {
            "kl_warmup_steps": config.kl_warmup_steps,
            "target_scale": config.target_scale,
            "weigh_prior": config.weigh_prior,
        }
        ranges.check(config, "model")
        super().__init__(info, seed=seed, **shared, **kwargs)
        _check(config, info)
        self.config = config
        self.stochastic = config.unpooling == "stochastic"
        self.deconvnet = dgdn.Deconvnet(info.image_shape, config.network, with_maps=self.stochastic, name="image_model")
        self.latent_dim = int(np.prod(self.deconvnet.code_shape))
        self.widest_layer = self.deconvnet.widest_layer
        self.clusters = None
        self.p_s = families.standard_normal(self.latent_dim)
        if config.prior == "stick_breaking":
            self.p_s = self.clusters = cluster_prior.ClusterPrior(self.latent_dim, config.clusters, name="p_s")
            self.add_part(self.clusters)
        self.precision = Precision(config.initial_precision, name="alpha0")
        self.map_gradient = _map_gradient(config, self.deconvnet, info.image_shape)
        if config.label_weight:
            head = HEADS[config.head](config, self.latent_dim, info.num_classes)
            self.add_head(LABEL, head, config.label_weight)
        if config.caption_weight:
            head = Caption(self.latent_dim, info.vocabulary, info.caption_length, config.caption, name="caption_words")
            self.add_head(CAPTION, head, config.caption_weight)
        if config.tag_weight:
            head = tagging.Tags(self.deconvnet.code_shape, info.names[TAGS], config.tags, name="tag_words")
            self.add_head(TAGS, head, config.tag_weight)
        self.q_s_given_caption = None
        if config.caption_encoder:
            sizes = self.latent_dim, len(info.vocabulary), config.caption, config.caption_kl_warmup_steps
            self.q_s_given_caption = CaptionPosterior(*sizes, name="q_s")
            self.add_part(self.q_s_given_caption)
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

    def log_likelihood(self, image, s, masks):
        """log p(x | s, u): [N], nats, for codes [N, Z] and the mask of every pooled layer."""
        return tf.reduce_sum(self.log_p_pixels(image, self.deconvnet.top_down(s, masks)), axis=[1, 2])

    # The objective.

    def objective(self, batch, seed, training=False):
        """−mean [ U(x) + Σ_t ξ_t log p(t | s) ] − log p(heads) − (B_c / B) mean V(x, Y), U by the maps' estimator."""
        image, num = all_images(batch), self.config.num_samples
        inferred = self._infer_for_objective(image, seed, training)
        image_bound = self.image_bound(image, inferred, training)
        target_terms = self.target_terms(inferred.s, batch, num)
        caption_bound = self.caption_bound(batch, image_bound.masks, seed, training)
        likelihood = self._map_likelihood(image, image_bound, target_terms, training)
        surrogate = self.map_gradient.surrogate(inferred.draws, likelihood, training)
        loss = -tf.reduce_mean(surrogate.value) - (target_terms.log_prior + caption_bound.value) + surrogate.loss
        if self.clusters is not None:
            loss -= self.clusters.log_prior(training) / self.info.num_train
        return Objective(loss, {**image_bound.terms(num), **target_terms.terms, **caption_bound.terms})

    def image_bound(self, image, inferred, training=False) -> ImageBound:
        """U(x) = E[ log p(x | s, u) ] − KL(q(s | x, u) ‖ p(s)) − KL(q(u | x) ‖ p(u))  at draws of (u, s)."""
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        pooled = self.deconvnet.lowest(inferred.s, masks)
        log_pixels = self.log_p_pixels(image, self.deconvnet.image(pooled, masks))
        kl_s = self.divergence(inferred.q_s, training)
        return ImageBound(masks, pooled, log_pixels, kl_s, total_divergence(inferred.draws))

    def divergence(self, q_s, training=False):
        """KL(q(s) ‖ p(s)), or a bound from above on it where p(s) is a mixture: [N], nats."""
        if self.clusters is not None:
            return self.clusters.divergence(q_s, training)
        return tf.reduce_sum(gaussian_kl_per_unit(q_s), axis=-1)

    def caption_bound(self, batch, masks, seed, training=False) -> CaptionBound:
        """(B_c / B) mean V(x, Y), under the maps of the first draw; 0 without q(s | Y)."""
        if self.q_s_given_caption is None:
            return CaptionBound(0.0, {})
        return self.q_s_given_caption.bound(self, batch, masks, seed, training)

    def _infer_for_objective(self, image, seed, training):
        """S draws by the estimator, which in training the usual maps follow."""
        compiled = training and self.config.compile_pooling
        inferred = self.infer(image, self.config.num_samples, seed, self.map_gradient.draw, compiled)
        if training and self.deconvnet.trainable:
            self.deconvnet.follow_maps([draw.logits for draw in inferred.draws])
        return inferred

    def _map_likelihood(self, image, image_bound, target_terms, training):
        """The bound in the parts that the estimator of the maps' gradient sees."""
        return MapLikelihood(
            image=tf.tile(image, [self.config.num_samples, 1, 1, 1]),
            log_pixels=image_bound.log_pixels,
            kl_s=image_bound.kl_s,
            kl_weight=self.kl_weight(training),
            targets=target_terms.value,
            pooled=image_bound.pooled,
            precision=tf.exp(self.precision.log()),
        )

    # What can be asked of the model.

    def capabilities(self):
        return super().capabilities() | {Capability.DICTIONARY}

    def supervised_network(self):
        return self.config.network

    def dictionary_elements(self, layer):
        """Elements of a layer (from 0) in the image plane, through the most probable maps: [K, H, W, C]."""
        return self.deconvnet.elements(layer, self.deconvnet.usual_masks())

    def encode(self, image):
        """q(s | x) at the expectation of every pooled value.

        It is the mean of pooling over draws of the maps, which is what the encoder trained with; the most probable maps
        pool larger values than any it saw.
        """
        return self.infer(image, 1, None, expected).q_s

    def decode(self, z, masks=None):
        """p(x | s, u), or, without masks, a Gaussian at the mean of p(x | s): every cell gets its share of a value."""
        mean = self.deconvnet.top_down(z, self.deconvnet.even_masks(tf.shape(z)[0]) if masks is None else masks)
        return families.tfd.Independent(families.tfd.Normal(mean, tf.exp(-0.5 * self.precision.log())), 3)

    def reconstruct(self, image):
        """The image of the expected code, unpooled by the most probable maps: [B, H, W, C].

        The code of the most probable maps would be another one than the decoder knows (see `encode`).
        """
        inferred = self.infer(image, 1, None, expected_upwards)
        return self.deconvnet.top_down(inferred.s, self._masks(inferred.draws, tf.shape(image)[0]))

    def sample(self, num, seed):
        *map_seeds, s_seed = noise.split(seed, self.deconvnet.num_pooled + 1)
        return self.deconvnet.top_down(self.p_s.sample(num, seed=s_seed), self.deconvnet.prior_masks(num, map_seeds))

    def log_prob_bound(self, image, num_samples, seed):
        inferred = self.infer(image, num_samples, seed)
        masks = self._masks(inferred.draws, tf.shape(inferred.s)[0])
        log_p_x = self.log_likelihood(image, inferred.s, masks)
        log_w = log_p_x + self.p_s.log_prob(inferred.s) - inferred.q_s.log_prob(inferred.s)
        for draw in inferred.draws:
            log_w -= tf.reduce_sum(draw.log_ratio, axis=[1, 2, 3])
        return inference.importance_weighted(tf.reshape(log_w, [num_samples, -1]))

    def kl_per_unit(self, image, seed):
        inferred = self.infer(image, 1, seed)
        units = {"z": gaussian_kl_per_unit(inferred.q_s, self.clusters)}
        for layer, draw in enumerate(inferred.draws, start=1):
            units[f"u{layer}"] = tf.reduce_sum(draw.divergence, axis=[1, 2])  # A unit is a map.
        return units

    def codes(self, image, num_samples=1, seed=None):
        """Codes [S, B, Z]: the mean of `encode`, or draws of maps and codes where there is a seed."""
        if seed is None:
            return self.encode(image).mean()[None]
        return tf.reshape(self.infer(image, num_samples, seed).s, [num_samples, -1, self.latent_dim])

    def image_of(self, s):
        """The image of codes by the collapsed dictionary, [B, Z] -> [B, H, W, C].

        Pu 2017, eq. (3.49): every pooled layer is unpooled by the map that was the most probable one in training.
        """
        return self.deconvnet.top_down(s, self.deconvnet.usual_masks(tf.shape(s)[0]))

    def initialise(self, images):
        super().initialise(images)
        if self.q_s_given_caption is not None:
            self.q_s_given_caption.initialise(self.heads[CAPTION])

    def begin_epoch(self, epoch, images):
        if self.clusters is not None and epoch == self.config.clusters.begin_epochs:
            seen = images()
            parts = (seen[first : first + _AT_ONCE] for first in range(0, len(seen), _AT_ONCE))
            q_s = [self.encode(tf.constant(part)) for part in parts]
            mean, variance = (tf.concat(of, axis=0) for of in zip(*((q.mean(), q.variance()) for q in q_s)))
            self.clusters.begin(families.DiagGaussian(mean, tf.math.log(variance)), noise.seed(self.seed, epoch))

    def transferable_variables(self):
        # Neither the head nor what the estimator learned of its signals.
        return [*self.deconvnet.variables, *self.precision.variables]

    def dispensable_variables(self):
        # A dictionary that was learned without a recognition model comes without one.
        return self.deconvnet.recognition_variables

    # Maps.

    def _pool(self, maps, layer, seed, draw):
        """The maps pooled, and the `MapDraw` by which they were."""
        block = self.deconvnet.levels[layer].block
        drawn = draw(self.deconvnet.pooling[layer](maps), block, seed)
        return unpooling.pool(maps, drawn.up, block), drawn

    def _masks(self, draws, num):
        """The masks of `MapDraw`s; the top left cell of every block where unpooling is deterministic."""
        return [draw.down for draw in draws] if self.stochastic else self.deconvnet.usual_masks(num)


def _map_gradient(config, deconvnet, image_shape):
    """The estimator of a config; there is nothing to estimate where no map is drawn, or none learns."""
    if config.freeze_image_model:
        return FrozenMaps()
    if config.unpooling == "deterministic":
        return NoMaps()
    return MAP_GRADIENTS[config.map_gradient](config, deconvnet, image_shape)


def _check(config, info):
    """Raises ValueError if the configuration does not fit the data."""
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
    if config.tag_weight and not info.names.get(TAGS):
        raise ValueError(
            'A head for tags needs tags: set `data.batches={"tagged": ...}` to some images in a batch, or '
            "`model.tag_weight=0`."
        )
