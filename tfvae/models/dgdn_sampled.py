"""p(s) p(u) p(x | s, u) without a recognition model: learned, and inferred, by chains over all that is not observed.

The deep deconvolutional model as Pu 2017, chapter 3, has it: Gaussian dictionaries, maps u with Dirichlet probabilities
of their own for every image and map, diffuse Gammas on the precisions, Bayesian support vector machines on the code s.
Learned by Gibbs sampling, by Bayesian conditional density filtering (BCDF) or by Monte Carlo EM (MCEM). It has the
dictionaries of `tfvae.models.dgdn`, so each opens in the other by `training.start_from`.
"""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfvae import inference as bounds
from tfvae import ranges
from tfvae.batch import LABELLED, TAGGED, TAGS
from tfvae.capabilities import Capability
from tfvae.heads import targets
from tfvae.layers.precision import Precision
from tfvae.models import sampled_parts
from tfvae.models.base import LatentVariableModel, Objective, all_images
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import dgdn
from tfvae.probability import families, noise
from tfvae.samplers.dgdn import clusters, inference, maps, observed, pretraining, tags
from tfvae.samplers.dgdn.bcdf import Bcdf
from tfvae.samplers.dgdn.chain import Course
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.gibbs import Gibbs
from tfvae.samplers.dgdn.mcem import Mcem
from tfvae.samplers.dgdn.state import NONE, Global, Prior

MAP_PRIORS = ("dirichlet", "uniform")
WRITTEN = ("mean", "last", "given")
TEST_CODES = ("mean", "map")
CLUSTERED = ("code", "usage")

# Seeds the chains behind what is asked of the model without a seed: the same every time.
_FIXED = 7
# Keeps apart the chain, the draws of its maps in a bound, and the code of a sample.
_CHAIN, _BOUND, _CODE, _CLUSTER = 0, 1, 2, 3


# Weights of targets in a posterior, and what is 0 for none.
_WEIGHT, _POSITIVE_OR_0 = ranges.Choices((0, 1)), ranges.POSITIVE._replace(besides=(0,))


@dataclasses.dataclass
class Config:
    """The model, and how new images are inferred; how it is learned is said by those that derive from it.

    Args:
        network: sizes of the layers, as of the recognition model; what is of the encoder alone is not used.
        label_weight: 1 with classifiers on the code, 0 without: labels have no other weight in a posterior.
        gamma: γ of the support vector machines; fixed, because its posterior goes to 0 under a diffuse prior.
        map_prior: `dirichlet`, θ of every image and map ~ Dir(concentration); or `uniform`.
        concentration: of the Dirichlet; 0 for 1 / block², as the source prints it.
        spike: maps of the top layer may be off as a whole (Pu 2017, eqs. 3.28 and 3.29).
        usage_prior: (a, b) of the Beta of their usage.
        noise_prior, code_prior: (shape, rate) of the Gammas of the precisions of residual and code.
        kappa_prior: the same of the classifiers' shrinkage.
        max_noise_precision: the residual's precision stays below; 0 for no bound. Without one, maps carry the image and
            codes become interchangeable (docs/explanation/dgdn_gibbs.md): choose it on validation rows.
        ramp_steps: over which that bound rises from 1.
        pretraining_sweeps: of each layer alone, from the lowest up, before the model is learned as a whole, on the
            first 2,000 training images; 0 for none.
        pretraining_elements: of every layer then, of which the `network.elements` that are used most are kept (the
            source begins with 50 and 200 and keeps 39 and 117); empty for as many as are kept.
        burn_in: steps before the mean is taken and draws are kept.
        thinning: steps from one kept draw to the next.
        kept: draws that are kept as files, the newest.
        written: the model is given the `mean` of the dictionaries since the burn-in, or the `last`; or nothing, so that
            those `given` by `training.start_from` stay, such as a recognition model's.
        test_burn_in, test_kept, test_thinning: sweeps of the chain that infers new images, without labels, and draws of
            it that are averaged.
        test_code: what stands for the code of a new image: the `mean` of these draws, or `map`, the most probable code
            with the maps averaged out (eq. 3.39).
        bound_samples: draws of the maps behind the bound on log p(x) in a validation.
    """

    network: dgdn.Config = dataclasses.field(default_factory=dgdn.Config)
    label_weight: float = ranges.field(
        1.0, _WEIGHT, hint="In a posterior a label weighs what its likelihood says, which `model.gamma` sets."
    )
    gamma: float = ranges.field(1.0, ranges.POSITIVE)
    map_prior: str = ranges.field("dirichlet", ranges.Choices(MAP_PRIORS))
    concentration: float = ranges.field(0.0, _POSITIVE_OR_0)
    spike: bool = False
    usage_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    noise_prior: tuple[float, float] = ranges.field((1e-6, 1e-6), ranges.POSITIVE)
    code_prior: tuple[float, float] = ranges.field((1e-6, 1e-6), ranges.POSITIVE)
    kappa_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    max_noise_precision: float = ranges.field(16.0, _POSITIVE_OR_0)
    ramp_steps: int = ranges.field(0, ranges.COUNTS)
    pretraining_sweeps: int = ranges.field(0, ranges.COUNTS)
    pretraining_elements: tuple[int, ...] = ranges.field((), ranges.WIDTHS)
    burn_in: int = ranges.field(1000, ranges.COUNTS)
    thinning: int = ranges.field(50, ranges.POSITIVE_COUNTS)
    kept: int = ranges.field(10, ranges.POSITIVE_COUNTS)
    written: str = ranges.field("mean", ranges.Choices(WRITTEN))
    test_burn_in: int = ranges.field(20, ranges.COUNTS)
    test_kept: int = ranges.field(20, ranges.DRAWS)
    test_thinning: int = ranges.field(1, ranges.POSITIVE_COUNTS)
    test_code: str = ranges.field("mean", ranges.Choices(TEST_CODES))
    bound_samples: int = ranges.field(5, ranges.DRAWS)

    def build(self, info, seed=0):
        return SampledDGDN(self, info, seed)

    def prior(self):
        """`tfvae.samplers.dgdn.state.Prior`."""
        return Prior(
            concentration=self.concentration,
            uniform_maps=self.map_prior == "uniform",
            noise=tuple(self.noise_prior),
            code=tuple(self.code_prior),
            max_noise_precision=self.max_noise_precision or float("inf"),
            spike=self.spike,
            usage=tuple(self.usage_prior),
            gamma=self.gamma,
            kappa=tuple(self.kappa_prior),
        )

    def course(self):
        """`tfvae.samplers.dgdn.chain.Course`."""
        return Course(self.burn_in, self.thinning, self.kept, self.ramp_steps, self.written)

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.ramp_steps and not self.max_noise_precision:
            raise ValueError("`model.ramp_steps` needs a bound to rise to: set `model.max_noise_precision` above 0.")
        kept, first = self.network.elements, self.pretraining_elements or self.network.elements
        if len(first) != len(kept) or any(np.less(first, kept)):
            raise ValueError(
                "`model.pretraining_elements` has at least as many of every layer as `network.elements` keeps, got "
                f"{first} and {kept}."
            )

    def streams(self):
        """Streams without which it does not learn, and what does: {stream: advice}."""
        return {LABELLED: "set `model.label_weight=0`"} if self.label_weight else {}

    def learner(self, *parts):
        """The learner of these parts of a model, as `tfvae.samplers.dgdn.chain.Sampler` takes them."""
        raise NotImplementedError("Choose how it is learned: `GibbsConfig`, `BcdfConfig` or `McemConfig`.")


@dataclasses.dataclass
class GibbsConfig(Config):
    """Learned by Gibbs sampling: a step is a sweep over all training images, so a batch holds all of them.

    Args:
        feedback: labels and tags take part in what codes are drawn from, as they do in a posterior. Without, they learn
            of codes that images alone explain, as codes of new images are (a cut: Plummer 2015), and classifiers of
            what codes were drawn around in the last sweeps instead of draws, which are mostly noise.
        rescale_top: the top layer's scale moves too, where neither a classifier nor a cluster sees the code.
        clusters: J, the most clusters that images fall into by their codes (Pu 2017, section 3.3.4); 0 for none.
        cluster_by: `code`, a mixture of Gaussians (eq. 3.33); or `usage`, of which maps of the code are on (eqs. 3.34
            and 3.35), which brings the spike.
        begin_clusters: sweeps in which all clusters are alike, after which they begin from a k-means of the codes:
            codes of the first sweeps have none, and begun with them a few clusters take all images.
        mass_prior: (shape, rate) of the Gamma of a, where sticks are Beta(1, a).
        cluster_precision_prior: the same of the precisions α_j of clusters.
        tag_weight: 1 with tags, by which elements of the top layer say words (section 3.3.3), which brings the spike; 0
            without.
        topic_concentration: of the Dirichlet over an element's words.
        strength_prior: (shape, rate) of the Gamma of g, how many words an element says.
    """

    feedback: bool = True
    rescale_top: bool = True
    clusters: int = ranges.field(0, ranges.Interval(2, 100_000, besides=(0,)))
    cluster_by: str = ranges.field("code", ranges.Choices(CLUSTERED))
    begin_clusters: int = ranges.field(30, ranges.POSITIVE_COUNTS)
    mass_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    cluster_precision_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    tag_weight: float = ranges.field(0.0, _WEIGHT, hint="In a posterior tags weigh what their likelihood says.")
    topic_concentration: float = ranges.field(0.05, ranges.POSITIVE)
    strength_prior: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)

    def prior(self):
        found = super().prior()._replace(feedback=self.feedback)
        if self.clusters:
            of_usages = self.cluster_by == "usage"
            priors = tuple(self.mass_prior), tuple(self.cluster_precision_prior)
            found = found._replace(
                clusters=clusters.Prior(self.clusters, of_usages, *priors), spike=found.spike or of_usages
            )
        if self.tag_weight:
            found = found._replace(tags=tags.Prior(self.topic_concentration, *self.strength_prior), spike=True)
        return found

    def learner(self, *parts):
        return Gibbs(*parts, rescale_top=self.rescale_top, begin_clusters=self.begin_clusters)

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        super().validate()
        if self.clusters and self.cluster_by == "code" and (self.spike or self.tag_weight):
            raise ValueError(
                "A mixture of Gaussians has no point at 0: with `model.spike` or `model.tag_weight` set "
                "`model.cluster_by=usage`."
            )

    def streams(self):
        return super().streams() | ({TAGGED: "set `model.tag_weight=0`"} if self.tag_weight else {})


@dataclasses.dataclass
class BcdfConfig(Config):
    """Learned by BCDF: minibatches, and surrogate sufficient statistics of those before.

    Args:
        forgetting: weight of these a minibatch later; 1 sums them for ever.
        local_sweeps: over the maps and codes of a minibatch.
    """

    forgetting: float = ranges.field(0.8, ranges.SHARES)
    local_sweeps: int = ranges.field(8, ranges.Interval(1, 100_000))

    def learner(self, *parts):
        return Bcdf(*parts, forgetting=self.forgetting, local_sweeps=self.local_sweeps)


@dataclasses.dataclass
class McemConfig(Config):
    """Learned by MCEM: draws of maps and codes, and RMSprop on dictionaries and classifiers.

    Args:
        num_samples: N_s, draws of an E-step.
        maximisation_steps: of RMSprop on them.
        learning_rate: of these.
        decay: of RMSprop's mean squares.
        scaled: the sum over a minibatch is multiplied by N / |I|; without, as eq. (3.38) prints it.
    """

    num_samples: int = ranges.field(2, ranges.DRAWS)
    maximisation_steps: int = ranges.field(5, ranges.Interval(1, 100_000))
    learning_rate: float = ranges.field(0.02, ranges.RATES)
    decay: float = ranges.field(0.95, ranges.BELOW_ONE)
    scaled: bool = True
    test_code: str = ranges.field("map", ranges.Choices(TEST_CODES))

    def learner(self, *parts):
        return Mcem(
            *parts, num_samples=self.num_samples, maximisation_steps=self.maximisation_steps,
            learning_rate=self.learning_rate, decay=self.decay, scaled=self.scaled,
        )  # fmt: skip


class _Functions:
    """Traced functions of a model, in an object that Keras does not look into."""

    def __init__(self):
        self.traced = {}


class SampledDGDN(LatentVariableModel):
    """The model at what a chain wrote, by default the posterior mean of the dictionaries.

    New images are inferred by a chain over their maps and codes, without labels: the code of an image that was trained
    on with its label knows it.
    """

    settings_of: ClassVar = {
        Capability.CLASSIFY: "`model.label_weight` above 0",
        Capability.CLUSTER: "`model.clusters` above 0",
        Capability.TAG: "`model.tag_weight` above 0",
    }

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        super().__init__(info, seed=seed, name="dgdn", **kwargs)
        _check(config, info)
        self.config = config
        self.geometry, self.prior = Geometry.of(info.image_shape, config.network), config.prior()
        self.deconvnet = dgdn.Dictionaries(info.image_shape, config.network, name="image_model")
        self.latent_dim = self.geometry.code_dim
        # The effects of all places of the code on an image pass through the widest layer.
        widest = [level.maps[0] * level.maps[1] * k for level, k in zip(self.geometry.levels, config.network.elements)]
        self.widest_layer = self.latent_dim * max(self.geometry.num_pixels, *widest)
        self.precision = Precision(10.0, name="alpha0")
        self.precision.trainable = False
        self.usage = None
        if self.prior.spike:
            self.usage = sampled_parts.usage(self.geometry.elements[-1])
        self.head = None
        if config.label_weight:
            sizes = self.latent_dim, info.num_classes
            self.head = sampled_parts.Classifiers(*sizes, gamma=config.gamma, name="label_svm")
            self.add_part(self.head)
        self.p_s, self.tag_words = None, None
        if self.prior.clusters:
            sizes = self.geometry.code_shape, self.latent_dim
            self.p_s = sampled_parts.Clusters(*sizes, self.prior.clusters, name="p_s")
            self.add_part(self.p_s)
        if self.prior.tags:
            num_tags = len(info.names[TAGS])
            self.tag_words = sampled_parts.Topics(self.geometry.code_shape, num_tags, self.prior.tags, name="tag_words")
            self.add_part(self.tag_words)
        self._functions, self._num_images = _Functions(), info.num_train

    # Learning.

    def initialise(self, images):
        """Begins from dictionaries that were learned a layer at a time, where there is pretraining."""
        super().initialise(images)
        if not self.config.pretraining_sweeps:
            return
        elements = self.config.pretraining_elements or self.geometry.elements
        found = pretraining.pretrain(
            self.geometry, self.prior, images, tuple(elements), self.config.pretraining_sweeps, noise.seed(self.seed)
        )
        for layer, dictionary in zip(self.deconvnet.dictionaries, found, strict=True):
            layer.dictionary.assign(dictionary)

    def learner(self):
        classes = self.num_classes if self.head else 0
        return self.config.learner(
            self.geometry, self.prior, self.config.course(), self.info, classes, self._num_images, self
        )

    def prepare(self, batch):
        self._num_images = observed.num_images(batch, self.info)
        return super().prepare(batch)

    def read(self):
        """The variables as `Global`."""
        beta, kappa = tf.zeros([self.latent_dim + 1, 0]), tf.constant(1.0)
        if self.head:
            beta, kappa = tf.convert_to_tensor(self.head.beta), tf.exp(tf.convert_to_tensor(self.head.log_kappa))
        usage = tf.fill([self.geometry.elements[-1]], 0.5) if self.usage is None else tf.convert_to_tensor(self.usage)
        return Global(
            tuple(tf.convert_to_tensor(layer.dictionary) for layer in self.deconvnet.dictionaries),
            tf.exp(self.precision.log()), tf.constant(1.0), usage, beta, kappa,
            self.p_s.read() if self.p_s else NONE, tf.convert_to_tensor(self.tag_words.phi) if self.tag_words else NONE,
        )  # fmt: skip

    def of_draw(self, draw):
        """`Global` of a draw that the chain kept, {name: array}; what it does not name is as in the variables."""
        layers = range(1, self.geometry.num_layers + 1)
        named = {name: tf.constant(draw[name]) for name in ("noise_precision", "beta", "kappa", "phi") if name in draw}
        dictionaries = tuple(tf.constant(draw[f"dictionary{layer}"]) for layer in layers)
        return self.read()._replace(dictionaries=dictionaries, **named)

    def write(self, shared, usual):
        """The variables as of a `Global` whose code has the precision 1."""
        for layer, dictionary in zip(self.deconvnet.dictionaries, shared.dictionaries):
            layer.dictionary.assign(dictionary)
        for variable, probs in zip(self.deconvnet.usual, usual):
            variable.assign(probs)
        self.precision.offset.assign((tf.math.log(shared.noise_precision) - self.precision.log_initial) / 10.0)
        if self.usage is not None:
            self.usage.assign(shared.usage)
        if self.head:
            self.head.beta.assign(shared.beta)
            self.head.log_kappa.assign(tf.math.log(shared.kappa))
        if self.p_s:
            self.p_s.write(shared.mixture)
        if self.tag_words:
            self.tag_words.phi.assign(shared.phi)

    def objective(self, batch, seed, training=False):
        """−mean of the bound on log p(x); nothing follows its gradient."""
        image = all_images(batch)
        chain_seed, bound_seed = noise.fold_in(seed, _CHAIN), noise.fold_in(seed, _BOUND)
        inferred = self._infer(image, self._schedule(), chain_seed)
        log_w = self._log_weights(image, inferred, self.config.bound_samples, bound_seed)
        bound = tf.reduce_mean(log_w, axis=0)
        error = tf.reduce_mean((image - inferred.fit) ** 2, axis=[1, 2, 3])
        return Objective(-tf.reduce_mean(bound), {"bound": bound, "reconstruction": error})

    # What can be asked of the model.

    def capabilities(self):
        return super().capabilities() | {Capability.CODES, Capability.CHAIN, Capability.DICTIONARY}

    def supervised_network(self):
        return self.config.network

    def transferable_variables(self):
        return [*self.deconvnet.variables, *self.precision.variables]

    def encode(self, image):
        """The Gaussian with the moments of a chain's draws of s, or at its most probable value."""
        if self.config.test_code == "map":
            return families.DiagGaussian(*self._map_code(image))
        codes = self.inferred_codes(image, 1, None)
        mean, variance = tf.nn.moments(codes, axes=[0])
        return families.DiagGaussian(mean, tf.math.log(variance + 1e-6))

    def codes(self, image, num_samples=1, seed=None):
        """Codes [S, B, Z]: the mean of `encode`, or draws of a chain where there is a seed."""
        if seed is None:
            return self.encode(image).mean()[None]
        return self.chain_of_codes(image, num_samples, seed)

    def inferred_codes(self, image, num_samples, seed):
        """Draws of a chain [S, B, Z]: `num_samples` with a seed, else those that `encode` takes the moments of."""
        if seed is None:
            return self._infer(image, self._schedule(), noise.seed(_FIXED), rows=1).codes
        return self.chain_of_codes(image, num_samples, seed)

    def chain_of_codes(self, image, num_draws, seed):
        """Draws of s that follow each other in a chain, `test_thinning` sweeps apart: [S, B, Z]."""
        return self._infer(image, self._schedule()._replace(kept=num_draws), seed).codes

    def decode(self, z):
        """p(x | s, u) with the mean of p(x | s): every cell gets its share of a value."""
        even = [
            tf.fill([tf.shape(z)[0], *level.maps, count], 1.0 / outcomes)
            for level, count, outcomes in zip(self.geometry.levels, self.geometry.elements, self.geometry.outcomes)
        ]
        shared = self.read()
        mean = self.geometry.fit(tf.reshape(z, [-1, *self.geometry.code_shape]), shared.dictionaries, even)
        return families.tfd.Independent(families.tfd.Normal(mean, tf.math.rsqrt(shared.noise_precision)), 3)

    def reconstruct(self, image):
        """The mean of p(x | s, u) over a chain's draws: [B, H, W, C]."""
        return self._infer(image, self._schedule(), noise.seed(_FIXED), rows=1).fit

    def sample(self, num, seed):
        positions = maps.from_the_prior(self.geometry, self.prior, num, seed)
        code = noise.normal([num, *self.geometry.code_shape], noise.fold_in(seed, _CODE))
        shared = self.read()
        usage = shared.usage
        if self.p_s:
            cluster, drawn = self.p_s.sample(num, noise.fold_in(seed, _CLUSTER))
            code = code if drawn is None else tf.reshape(drawn, code.shape)
            odds = clusters.log_odds_of_usage(shared.mixture, cluster)
            usage = usage if odds is None else tf.sigmoid(odds)[:, None, None]
        if self.usage is not None:
            on = noise.uniform([num, 1, 1, self.geometry.elements[-1]], noise.fold_in(seed, _BOUND)) < usage
            code = tf.where(on, code, 0.0)
        return self.geometry.fit(code, shared.dictionaries, self.geometry.masks(positions))

    def log_prob_bound(self, image, num_samples, seed):
        """By draws of the maps from the frequencies of a chain, s summed out, θ too: [B], nats."""
        inferred = self._infer(image, self._schedule(), noise.fold_in(seed, _CHAIN))
        log_w = self._log_weights(image, inferred, num_samples, noise.fold_in(seed, _BOUND))
        return bounds.importance_weighted(log_w)

    def kl_per_unit(self, image, seed):
        del seed  # Of moments.
        return {"z": gaussian_kl_per_unit(self.encode(image))}

    def dictionary_elements(self, layer):
        """Elements of a layer (from 0) in the image plane, through the most probable maps: [K, H, W, C]."""
        geometry, shared = self.geometry, self.read()
        usual = [
            tf.argmax(tf.convert_to_tensor(probs)[:, : level.block**2], axis=-1)
            for probs, level in zip(self.deconvnet.usual, geometry.levels)
        ]
        positions = [tf.broadcast_to(cell, [1, *geometry.map_shape(below)]) for below, cell in enumerate(usual)]
        (height, width), count = geometry.levels[layer].maps, geometry.elements[layer]
        middle = tf.one_hot((height // 2) * width + width // 2, height * width)
        units = tf.reshape(middle[:, None] * tf.eye(count)[:, None], [count, 1, height, width, count])
        dictionary = shared.dictionaries[layer]
        return geometry.reached(units, layer, dictionary, shared.dictionaries, geometry.masks(positions))[:, 0]

    # Chains.

    def _schedule(self):
        return inference.Schedule(self.config.test_burn_in, self.config.test_kept, self.config.test_thinning)

    def _infer(self, image, schedule, seed, rows=None):
        def infer(image, seed):
            return inference.infer(self.geometry, self.prior, self.read(), image, schedule, seed, rows)

        return self._function(infer, schedule, rows)(image, seed)

    def _map_code(self, image):
        def map_code(image, seed):
            return inference.map_code(self.geometry, self.prior, self.read(), image, self._schedule(), seed, rows=1)

        return self._function(map_code)(image, noise.seed(_FIXED))

    def _log_weights(self, image, inferred, num, seed):
        def log_weights(image, inferred, seed):
            return inference.log_weights(self.geometry, self.prior, self.read(), image, inferred, num, seed)

        return self._function(log_weights, num)(image, inferred, seed)

    def _function(self, function, *static):
        """The function traced once for what is static in it."""
        key = (function.__name__, *static)
        if key not in self._functions.traced:
            self._functions.traced[key] = tf.function(function, autograph=False)
        return self._functions.traced[key]


def _check(config, info):
    """Raises ValueError if the configuration does not fit the data."""
    if config.prior().tags and not info.names.get(TAGS):
        raise ValueError(
            'A focused topic model needs tags: set `data.batches={"tagged": ...}` to as many images as have some, or '
            "`model.tag_weight=0`."
        )
    if len(info.image_shape) != 3:
        raise ValueError(
            f"DGDN convolves images [H, W, C], got observations of shape {info.image_shape}: set "
            "`data.transform.flatten=False` and `data.transform.min_pixel_std=0`."
        )
    targets.check_classes(config.label_weight, info.num_classes)
    most = max((*config.network.elements, *config.pretraining_elements))
    if info.num_train < most:
        raise ValueError(
            f"{info.num_train} training images cannot tell {most} elements of a layer apart: set `network.elements` to "
            "fewer than there are images."
        )
