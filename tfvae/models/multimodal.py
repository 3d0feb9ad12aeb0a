"""One code behind several views: p(z) Π_m p(x_m | z), with q(z | x_m) of each and q(z | x, y, ...) of all  (Shah).

A batch has a stream of examples with all modalities, and streams of each modality alone, of sizes of their own. A label
or captions may be a modality too. With one modality this is a variational auto-encoder.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import inference, ranges
from tfvae.batch import CAPTION, IMAGE, LABEL
from tfvae.capabilities import Capability, Endpoint
from tfvae.heads import caption as captions
from tfvae.heads.softmax import Softmax
from tfvae.layers import weight_norm
from tfvae.models.base import PICTURE_NOISE, LatentVariableModel, Objective, by_row
from tfvae.models.vae import gaussian_kl_per_unit
from tfvae.networks import modality
from tfvae.networks.caption import CaptionEncoder
from tfvae.probability import families, noise, pixels

JOINTS = ("merged", "product")
OBJECTIVES = ("joint", "translation")
TARGETS = (LABEL, CAPTION)
# An active unit's posterior mean varies at least so much between images (Burda et al. 2016, section 5.2).
ACTIVE_VARIANCE = 0.01


@dataclasses.dataclass
class Config:
    """Shah, chapters 4, 5 and 7.

    Args:
        latent_dim: Z.
        network: of every image, in both directions.
        likelihood: of the pixels: `bernoulli`, `categorical` (256 levels) or `logistic_mixture`.
        likelihoods: the same of further images, by name; those that are not named have `likelihood`.
        objective: `joint` (eq. 4.12), or `translation`: of a pair the mean of the bounds by q(z | x_m) alone
            (eqs. 4.13 and 4.14), which needs no joint encoder, whatever the number of modalities.
        joint: of `joint`, q(z | x, y) by `merged` features (table 5.3), or by a `product` of experts
            q(z | x, y) ∝ p(z) Π q̃(z | x_m), of which q(z | x_m) is the case of one.
        pair_weight: λ, of the joint bound; the translation objective has none.
        free_bits: ψ, nats of every latent dimension that cost nothing, in the loss only (eq. 4.16).
        num_samples: S, draws of z an example in training.
        targets: entries that are modalities too: `label`, `caption`.
        caption: of captions.
        kl_warmup_steps: steps over which the weight of the KL rises to 1; 0 for none.
        compile_step: loss and gradients compiled by XLA.
    """

    latent_dim: int = ranges.field(50, ranges.WIDTHS)
    network: modality.Config = dataclasses.field(default_factory=modality.Config)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(pixels.PIXELS))
    likelihoods: dict[str, str] = ranges.field(factory=dict, allowed=ranges.Choices(pixels.PIXELS))
    objective: str = ranges.field("joint", ranges.Choices(OBJECTIVES))
    joint: str = ranges.field("merged", ranges.Choices(JOINTS))
    pair_weight: float = ranges.field(0.5, ranges.POSITIVE)
    free_bits: float = ranges.field(0.125, ranges.WEIGHTS)
    num_samples: int = ranges.field(1, ranges.DRAWS)
    targets: tuple[str, ...] = ranges.field((), ranges.Choices(TARGETS))
    caption: captions.Config = dataclasses.field(default_factory=lambda: captions.Config(hidden=128, embedding=64))
    kl_warmup_steps: int = ranges.field(0, ranges.COUNTS)
    compile_step: bool = False

    def build(self, info, seed=0):
        return MultimodalVAE(self, info, seed)

    def likelihood_of(self, name):
        return self.likelihoods.get(name, self.likelihood)

    def validate(self):
        """Checks fields against each other.

        Raises:
            ValueError: if the configuration is invalid.
        """
        if self.targets and (self.objective, self.joint) == ("joint", "merged"):
            raise ValueError(
                "No stream holds labels or captions alone, from which q(z | target) could learn by itself: with "
                "`model.targets` set `model.joint=product`, or `model.objective=translation`."
            )

    def check(self, info):
        """Checks the settings against the data.

        Raises:
            ValueError: if they do not fit.
        """
        unknown = set(self.likelihoods) - set(info.modalities)
        if unknown:
            raise ValueError(f"`model.likelihoods` names {sorted(unknown)}, the data has {list(info.modalities)}.")
        for name in self.targets:
            if (name == LABEL and not info.num_classes) or (name == CAPTION and not info.vocabulary):
                raise ValueError(f"`model.targets` has {name!r}, of which the data knows nothing: leave it out.")
        for shape in info.modalities.values():
            self.network.check(shape)


class Explained(NamedTuple):
    """What a code says of some modalities, of rows whose code was inferred.

    log_likelihood: [B], Σ_m log p(x_m | z), the mean over draws of z.
    kl:             [B, Z], of q(z | ...) from p(z).
    """

    log_likelihood: tf.Tensor
    kl: tf.Tensor

    def bound(self):
        """[B], nats: E_q[Σ_m log p(x_m | z)] − KL  (eqs. 4.7, 4.9, 4.13)."""
        return self.log_likelihood - tf.reduce_sum(self.kl, axis=-1)

    def surrogate(self, free_bits, kl_weight):
        """A scalar: the mean bound with at least ψ nats of every latent dimension taken  (eq. 4.16).

        The minibatch's mean KL of a dimension is floored, not that of a row.
        """
        taken = tf.maximum(tf.reduce_mean(self.kl, axis=0), free_bits)
        return tf.reduce_mean(self.log_likelihood) - kl_weight * tf.reduce_sum(taken)


class MultimodalVAE(LatentVariableModel):
    """p(z) Π_m p(x_m | z), approximated by q(z | ·) of one modality or several.

    Args:
        config: `Config`.
        info: `tfvae.batch.DataInfo`.
        seed: of the noise.
    """

    def __init__(self, config, info, seed=0, **kwargs):
        ranges.check(config, "model")
        config.check(info)
        super().__init__(
            info, seed=seed, kl_warmup_steps=config.kl_warmup_steps, compile_step=config.compile_step, **kwargs
        )
        self.config, z, net = config, config.latent_dim, config.network
        self.images = dict(info.modalities)
        self.modalities = (*self.images, *config.targets)
        self.likelihood = config.likelihood_of(IMAGE)
        self.widest_layer = max(_widest(shape, config, name) for name, shape in self.images.items())
        self.p_z = families.standard_normal(z)
        self.features_of = {name: net.features(f"q_{name}", shape) for name, shape in self.images.items()}
        self.p_given_z = {
            name: net.decoder(f"p_{name}", z, shape, config.likelihood_of(name)) for name, shape in self.images.items()
        }
        for name in config.targets:
            self.features_of[name], self.p_given_z[name] = self._target(name)
            self.add_part(self.p_given_z[name])
        self.q_z_given = {name: modality.Gaussian(net.hidden, z, name=f"q_z_{name}") for name in self.modalities}
        self.q_z_given_all = None
        if len(self.modalities) > 1:
            self.add_part(Several())
        if len(self.modalities) > 1 and (config.objective, config.joint) == ("joint", "merged"):
            self.q_z_given_all = modality.Merged(
                dict.fromkeys(self.modalities, net.hidden), net.hidden, z, name="q_z_all"
            )

    def _target(self, name):
        """(from a target to features, p(target | z))."""
        config, hidden, z = self.config, self.config.network.hidden, self.config.latent_dim
        if name == LABEL:
            features = modality.label_features("q_label", self.num_classes, hidden)
            return features, Softmax(z, self.num_classes, name="p_label")
        head = captions.Caption(z, self.info.vocabulary, self.info.caption_length, config.caption, name="p_caption")
        # A recurrent network with two answers, both of which are features.
        return CaptionEncoder(hidden // 2, len(self.info.vocabulary), config.caption, name="q_caption"), head

    def prepare(self, batch):
        """As of every model; g and b of normalised layers are set by this batch  (section 5.9).

        Raises:
            ValueError: for a modality whose encoder no stream would train.
        """
        self._check_streams(batch)
        with weight_norm.initialising(self):
            self.objective(batch, noise.seed(self.seed))
        return super().prepare(batch)

    def _check_streams(self, batch):
        streams = [self.given(rows) for rows in batch.values()]
        alone = {next(iter(given)) for given in streams if len(given) == 1}
        lacking = [name for name in self.modalities if name not in alone]
        learns_of_pairs = self.q_z_given_all is None and any(len(given) > 1 for given in streams)
        if lacking and not learns_of_pairs:
            raise ValueError(
                f"No stream holds `{lacking[0]}` alone, from which q(z | {lacking[0]}) learns: set "
                f"`data.batches` to have one (`unlabelled_batch` for `{IMAGE}`), with `data.labelled_stay_unlabelled` "
                "where only pairs have it; or set `model.objective=translation`, which learns it of pairs."
            )

    def given(self, rows):
        """{modality: its values} of what the rows of a stream have."""
        return {name: rows[name] for name in self.modalities if name in rows}

    # Learning.

    def objective(self, batch, seed, training=False):
        """λ mean L(x, y) of pairs + Σ_m mean L(x_m) of each modality alone, every mean over its own stream  (4.12)."""
        loss, terms = 0.0, {}
        whole_first = sorted(batch, key=lambda stream: -len(self.given(batch[stream])))
        for number, stream in enumerate(whole_first):
            given, own_seed = self.given(batch[stream]), noise.fold_in(seed, number)
            prefix = self._prefix(given)
            ways = self._ways(given)
            explained = [
                self.explained(given, by, noise.fold_in(own_seed, i), training) for i, by in enumerate(ways)
            ]  # fmt: skip
            weight = self.config.pair_weight if len(given) > 1 and self.config.objective == "joint" else 1.0
            kl_weight = self.kl_weight(training)
            for each in explained:
                loss -= weight / len(ways) * each.surrogate(self.config.free_bits if training else 0.0, kl_weight)
            terms[f"{prefix}bound"] = _mean([each.bound() for each in explained])
            terms[f"{prefix}kl"] = _mean([tf.reduce_sum(each.kl, axis=-1) for each in explained])
        if not training:
            terms |= self._watched(batch[whole_first[0]], seed)
        return Objective(loss, terms)

    def _prefix(self, given):
        """What stands before the names of a stream's terms: nothing for those that validate, of which `bound` is."""
        if set(given) == set(self.images if len(self.images) > 1 else self.modalities):
            return ""
        return f"{next(iter(given))}_" if len(given) == 1 else f"{'_'.join(given)}_"

    def _ways(self, given):
        """What a code is inferred from, a bound each: from all that is given, or from each by itself."""
        if len(given) > 1 and self.config.objective == "translation":
            return [{name: value} for name, value in given.items()]
        return [given]

    def explained(self, given, by, seed, training=False):
        """`Explained` of rows, their code inferred from a part of them.

        Args:
            given: modality -> [B, ...], what the code explains.
            by: the same, what it is inferred from.
            seed: of z.
            training: whether layers train.
        """
        q_z = self.posterior(by, training)
        z = q_z.sample(self.config.num_samples, seed=seed)
        log_p = self.log_likelihoods(given, z, training)
        return Explained(tf.reduce_mean(tf.add_n(list(log_p.values())), axis=0), gaussian_kl_per_unit(q_z))

    def _watched(self, rows, seed):
        """Whether the code is used: active units, and how much worse another row's code explains a row."""
        given = self.given(rows)
        name, value = next(iter(given.items()))
        q_z = self.posterior({name: value})
        mean = q_z.mean()
        z = q_z.sample(1, seed=seed)
        own, other = (self.log_likelihoods({name: value}, code)[name][0] for code in (z, tf.roll(z, 1, axis=1)))
        active = tf.math.reduce_variance(mean, axis=0) > ACTIVE_VARIANCE
        return {"code_gain": own - other, "active_units": tf.reduce_sum(tf.cast(active, tf.float32))[None]}

    # Distributions.

    def posterior(self, given, training=False):
        """q(z | given) of one modality or several: batch shape [B]."""
        features = {name: self._features(name, value, training) for name, value in given.items()}
        if self._is_product():
            return _product([self.q_z_given[name](h) for name, h in features.items()])
        if len(given) == 1:
            ((name, h),) = features.items()
            return self.q_z_given[name](h)
        if self.q_z_given_all is None:
            raise ValueError(
                f"The translation objective learns q(z | x_m) of one modality at a time, got {list(given)}: give one."
            )
        return self.q_z_given_all(features)

    def _is_product(self):
        return self.config.joint == "product" and self.config.objective == "joint" and len(self.modalities) > 1

    def _features(self, name, value, training):
        if name == LABEL:
            return self.features_of[name](tf.one_hot(value, self.num_classes), training=training)
        if name == CAPTION:
            return tf.concat(self.features_of[name](value), axis=-1)
        return self.features_of[name](value, training=training)

    def log_likelihoods(self, given, z, training=False):
        """{modality: log p(x_m | z)}, [S, B] each, for codes [S, B, Z]."""
        return {name: self._log_likelihood(name, value, z, training) for name, value in given.items()}

    def _log_likelihood(self, name, value, z, training):
        if name in self.images:
            return self.p_given_z[name](z, training=training).log_prob(value)
        num = tf.shape(z)[0]
        repeated = tf.tile(value, [num] + [1] * (value.shape.rank - 1))
        return tf.reshape(self.p_given_z[name].log_prob(tf.reshape(z, [-1, z.shape[-1]]), repeated), tf.shape(z)[:2])

    def log_weights(self, explained, by, num_samples, seed):
        """({modality: log p(x_m | z)}, log p(z) − log q(z | by)) of draws of z, [S, B] each.

        Where no q(z | by) of several modalities was learned, the draws come from each by itself in turn, and q is the
        mixture of all of these; there are `num_samples` of every one.
        """
        if len(by) > 1 and self.config.objective == "translation":
            each = [self.posterior({name: value}) for name, value in by.items()]
            z = tf.concat([q.sample(num_samples, seed=noise.fold_in(seed, i)) for i, q in enumerate(each)], axis=0)
            log_q_z = tf.reduce_logsumexp([q.log_prob(z) for q in each], axis=0) - np.log(len(each))
        else:
            q_z = self.posterior(by)
            z = q_z.sample(num_samples, seed=seed)
            log_q_z = q_z.log_prob(z)
        return self.log_likelihoods(explained, z), self.p_z.log_prob(z) - log_q_z

    # Answers.

    def capabilities(self):
        return super().capabilities() | {Capability.CODES, Capability.CODE_LIKELIHOOD}

    def encode(self, image):
        return self.posterior({IMAGE: image})

    def codes(self, image, num_samples=1, seed=None):
        """Draws of q(z | x): [S, B, Z]; without a seed its mean, [1, B, Z]."""
        q_z = self.encode(image)
        return q_z.mean()[None] if seed is None else q_z.sample(num_samples, seed=seed)

    def decode(self, z):
        return self.p_given_z[IMAGE](z)

    def picture(self, p_x, seed=None):
        """The mean of p(x | z); of an autoregressive one a draw, without a seed always by the same numbers."""
        return p_x.picture(None if seed is None or self.config.network.has_mean else self._uniforms(IMAGE, p_x, seed))

    def _uniforms(self, name, p_x, seed):
        return noise.uniform(tf.concat([p_x.batch_shape, self.images[name]], axis=0), seed)

    def sample(self, num, seed):
        return self._sampled(num, seed, names=(IMAGE,))[IMAGE]

    def _sampled(self, num, seed, names=None):
        """Pictures of draws from p(z) Π p(x_m | z), a code a row: {modality: [num, ...]} of all images."""
        z = self.p_z.sample(num, seed=seed)
        pictures = {}
        for i, name in enumerate(names or self.images):
            p_x = self.p_given_z[name](z)
            mean = self.config.network.has_mean
            own = None if mean else self._uniforms(name, p_x, noise.fold_in(seed, PICTURE_NOISE + i))
            pictures[name] = p_x.picture(own)
        return pictures

    def log_likelihood_of_code(self, image, z):
        """log p(x | z) of codes [S, B, Z]: [S, B], nats."""
        return self.log_likelihoods({IMAGE: image}, z)[IMAGE]

    def log_prob_bound(self, image, num_samples, seed):
        return self._log_prob_bound({IMAGE: image}, num_samples, seed)

    def _log_prob_bound(self, given, num_samples, seed):
        """Importance-weighted bound on log p of all that is given: [B], nats."""
        log_p, log_ratio = self.log_weights(given, given, num_samples, seed)
        return inference.importance_weighted(tf.add_n(list(log_p.values())) + log_ratio)

    def _conditional_log_prob(self, given, wanted, num_samples, seed):
        """log p(wanted | given) ≈ log Σ_s w_s p(wanted | z_s) − log Σ_s w_s, w_s = p(given, z_s) / q(z_s | given): [B].

        An estimate by self-normalised importance sampling, no bound; nats.
        """
        log_p, log_ratio = self.log_weights({**given, **wanted}, given, num_samples, seed)
        log_w = log_ratio + tf.add_n([log_p[name] for name in given])
        of_wanted = tf.add_n([log_p[name] for name in wanted])
        return tf.reduce_logsumexp(log_w + of_wanted, axis=0) - tf.reduce_logsumexp(log_w, axis=0)

    def kl_per_unit(self, image, seed):
        del seed  # In closed form.
        return {"z": gaussian_kl_per_unit(self.encode(image))}

    def _translate(self, given, to, seed=None):
        """Pictures of one modality for others.

        Args:
            given: modality -> [B, ...].
            to: the name of an image.
            seed: of a draw of the code; None for its mean.

        Returns:
            [B, ...].
        """
        q_z = self.posterior(given)
        if seed is None:
            return self.p_given_z[to](q_z.mean()).picture()
        p_x = self.p_given_z[to](q_z.sample(seed=seed))
        own = None if self.config.network.has_mean else self._uniforms(to, p_x, noise.fold_in(seed, PICTURE_NOISE))
        return p_x.picture(own)

    # Serving: noise of every row by its own seed, so that rows are answered together and yet alone.

    def _spec(self, name):
        if name == LABEL:
            return tf.TensorSpec([None], tf.int64, name=name)
        if name == CAPTION:
            return tf.TensorSpec([None, self.info.caption_length], tf.int32, name=name)
        return tf.TensorSpec([None, *self.images[name]], tf.float32, name=name)

    def _serve_encode_of(self, name, value):
        q_z = self.posterior({name: value})
        return {"mean": q_z.mean(), "stddev": q_z.stddev()}

    def _serve_translate(self, name, to, value, seed):
        q_z = self.posterior({name: value})
        return {to: self._picture_by_rows(to, q_z.mean() + q_z.stddev() * self._normal_by_rows(seed), seed)}

    def _serve_sample(self, seed):
        z = self._normal_by_rows(seed)
        return {name: self._picture_by_rows(name, z, seed) for name in self.images}

    def _serve_score_of(self, name, value, seed):
        def bound(row):
            return self._log_prob_bound({name: row[0][None]}, num_samples=50, seed=row[1])[0]

        return {"bound": by_row(bound, (value, seed))}

    def _normal_by_rows(self, seed):
        return by_row(lambda row: noise.normal([self.config.latent_dim], row), seed)

    def _picture_by_rows(self, name, z, seed):
        p_x, shape = self.p_given_z[name](z), self.images[name]
        if self.config.network.has_mean:
            return p_x.picture()
        return p_x.picture(by_row(lambda row: noise.uniform(shape, noise.fold_in(row, PICTURE_NOISE)), seed))


class Several:
    """What a model answers because it has several modalities: a `tfvae.capabilities.Part`."""

    def answers(self, model):
        return {
            Capability.TRANSLATE: model._translate,
            Capability.SAMPLE_TOGETHER: model._sampled,
            Capability.JOINT_BOUND: model._log_prob_bound,
            Capability.CONDITIONAL: model._conditional_log_prob,
        }

    def endpoints(self, model):
        seed, served = tf.TensorSpec([None], tf.int64, name="seed"), {}
        for name in model.modalities:
            spec = model._spec(name)
            served[f"encode_{name}"] = Endpoint(functools.partial(model._serve_encode_of, name), [spec])
            for other in model.images:
                if other != name:
                    function = functools.partial(model._serve_translate, name, other)
                    served[f"translate_{name}_to_{other}"] = Endpoint(function, [spec, seed])
            if name in model.images and name != IMAGE:
                served[f"score_{name}"] = Endpoint(functools.partial(model._serve_score_of, name), [spec, seed])
        return served


def _product(experts):
    """N(0, I) Π_m N(μ_m, σ_m²), normalised: precisions are summed, means weighed by them."""
    precisions = [1.0 / q.variance() for q in experts]
    precision = 1.0 + tf.add_n(precisions)
    weighed = tf.add_n([q.mean() * of for q, of in zip(experts, precisions, strict=True)])
    return families.DiagGaussian(weighed / precision, -tf.math.log(precision))


def _mean(values):
    return tf.add_n(values) / len(values)


def _widest(shape, config, name):
    """Numbers in the largest activation of an image."""
    family, net = pixels.PIXELS[config.likelihood_of(name)], config.network
    channels = max(family.num_params * shape[-1], net.filters, net.masked_filters)
    return int(np.prod(shape[:2])) * channels
