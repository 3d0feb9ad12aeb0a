"""Do two players still play, or has one of them collapsed?"""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import nouns
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import shown
from tfvae.models.adversarial import saturated, wrong
from tfvae.models.vae import VAE
from tfvae.probability import families, noise
from tfvae.probability.energy_distance import energy_distance_by_row

_ROWS = 1000
_BINS = 10
# What is told: a code wider than that at draws of q(z), samples that differ by less than that share of what images do,
# and a nearest neighbour that tells samples from images more often than that.
_WIDE, _ALIKE, _TOLD = 1.5, 0.5, 0.95


def applies(model, data, rows):
    """Whether the model has critics, and there are rows enough to compare."""
    del data
    return model.can(Capability.CRITIC) and len(rows) > 1


def measure(model, data, rows, settings):
    """Critics, samples and codes on held-out rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, of which a thousand are chosen by the seed.
        settings: the seed.

    Returns:
        {"critic_<f>_error": the share of held-out pairs that a critic takes for the other kind; "critic_<f>_ece": how
        far σ(f) is from the share that is right; "critic_<f>_saturation": the share of logits without a gradient,
        |f| > 10; "two_sample_error": of a leave-one-out nearest neighbour that tells samples from rows, 50 % where
        nothing tells them apart (Lopez-Paz & Oquab 2017); "sample_distance": their energy distance; "sample_spread":
        the mean distance between samples over that between rows; "compared_rows"; "critic_kind"; and of models with
        codes "code_kl": KL(q(z | x) ‖ p(z)), a draw a row, nats; "code_stddev": of a unit under q(z)}.
    """
    rows = subset(rows, min(_ROWS, at_once(model, _ROWS)), settings.seed)
    x = tf.constant(data.observe(rows, settings.seed))
    found = {}
    for name, (positive, negative) in compiled(model, "critic_logits")(x, noise.seed(settings.seed)).items():
        found |= {f"critic_{name}_{key}": value for key, value in _of_critic(positive, negative).items()}
    samples = _samples(model, len(rows), noise.seed(settings.seed, 1))
    found["two_sample_error"] = nearest_neighbour_error(np.asarray(x), np.asarray(samples))
    found["sample_distance"] = float(tf.reduce_mean(energy_distance_by_row(x, samples)))
    found["sample_spread"] = spread(np.asarray(samples)) / max(spread(np.asarray(x)), 1e-12)
    found |= {"compared_rows": len(rows), "critic_kind": getattr(model, "critic_kind", "mlp")}
    return found | (_of_codes(model, x, settings.seed) if isinstance(model, VAE) else {})


def _samples(model, num, seed):
    """As many samples, where there are codes draws of p(x | z), whose pixels are as hard as those of the data."""
    if not isinstance(model, VAE):
        return compiled(model, "sample")(num, seed)
    z_seed, x_seed = noise.split(seed, 2)
    return families.reparameterised(model.decode(model.p_z.sample(num, seed=z_seed)), x_seed, hard=True)


def _of_critic(positive, negative):
    logits = np.concatenate([positive, negative])
    right = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    return {
        "error": float(tf.reduce_mean(wrong(positive, negative))),
        "ece": _calibration_error(1.0 / (1.0 + np.exp(-np.clip(logits, -50, 50))), right),
        "saturation": float(tf.reduce_mean(saturated(tf.constant(logits)))),
    }


def _calibration_error(probs, right):
    """Σ over bins of |share that is right − mean probability|, weighted by the bins' rows."""
    which = np.minimum((probs * _BINS).astype(int), _BINS - 1)
    return float(sum(abs((right - probs)[which == k].sum()) for k in range(_BINS)) / len(probs))


def nearest_neighbour_error(rows, samples):
    """How often the nearest other point is of the other set, leave one out: 0.5 where both have one law."""
    points = tf.constant(np.concatenate([rows, samples]).reshape(len(rows) + len(samples), -1), tf.float32)
    squares = tf.reduce_sum(points**2, axis=1)
    distance = squares[:, None] + squares - 2.0 * tf.matmul(points, points, transpose_b=True)
    distance = tf.linalg.set_diag(distance, tf.fill([len(points)], np.float32(np.inf)))
    is_row = np.arange(len(points)) < len(rows)
    return float(np.mean(is_row != is_row[tf.argmin(distance, axis=1)]))


def spread(points):
    """The mean distance between two different points of a set."""
    points = points.reshape(len(points), -1).astype(np.float64)
    squares = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * points @ points.T, 0.0))
    return float(distance.sum() - np.trace(distance)) / (len(points) * (len(points) - 1))


def _of_codes(model, x, seed):
    q_z = model.encode(x)
    z = q_z.sample(seed=noise.seed(seed, 2))
    return {
        "code_kl": float(tf.reduce_mean(q_z.log_prob(z) - model.p_z.log_prob(z))),
        "code_stddev": float(tf.reduce_mean(tf.math.reduce_std(z, axis=0))),
    }


def headlines(metrics, data):
    """How well samples are told from rows."""
    if metrics.get("two_sample_error") is None:
        return []
    rows = nouns.counted(metrics["compared_rows"], data)
    meaning = (
        "How often the nearest neighbour of a sample or a held-out row is of the other kind, pixel by pixel: 50 % "
        "where "
        f"nothing tells them apart, 0 % where everything does. {rows} and as many samples; their energy distance is "
        f"{metrics['sample_distance']:.3f}, and samples differ among themselves {metrics['sample_spread']:.2f} times "
        "as "
        "much as these."
    )
    return [Headline("Samples taken for data", shown(metrics["two_sample_error"], "%"), meaning, rank=57)]


def caveats(metrics, data):
    """Words for what adversarial learning does silently: nothing of it is in a loss."""
    told = []
    if metrics.get("sample_spread") is not None and metrics["sample_spread"] < _ALIKE:
        told.append(
            f"Samples are alike: they differ {metrics['sample_spread']:.2f} times as much as {nouns.plural(data)} "
            "do. The "
            "generator may have collapsed to a few modes."
        )
    if metrics.get("two_sample_error") is not None and metrics["two_sample_error"] < 1.0 - _TOLD:
        told.append(
            f"A nearest neighbour takes only {shown(metrics['two_sample_error'], '%')} of samples and data for the "
            "other: "
            "the model has lost the game, and its critics' gradients say little."
        )
    if metrics.get("code_stddev") is not None and metrics["code_stddev"] > _WIDE:
        told.append(
            f"Codes of data have a standard deviation of {metrics['code_stddev']:.1f} a unit, where the prior has 1 "
            f"(KL {metrics['code_kl']:.0f} nats): the model has become an autoencoder, and reconstructions look "
            "better than "
            "its bound and its samples are."
        )
    return told + _certain(metrics)


def _certain(metrics):
    """Critics that are certain of nearly all pairs; a residual one is, by the densities that it is given."""
    if metrics.get("critic_kind") == "residual":
        return []
    suffix, prefix = "_saturation", "critic_"
    shares = {
        name.removeprefix(prefix).removesuffix(suffix): share
        for name, share in metrics.items()
        if name.startswith(prefix) and name.endswith(suffix) and share is not None
    }
    return [
        f"The critic {name} is certain of {shown(share, '%')} of all pairs: it teaches nothing."
        for name, share in sorted(shares.items())
        if share > _TOLD
    ]


MEASUREMENT = Measurement(applies, measure, headlines, caveats)
