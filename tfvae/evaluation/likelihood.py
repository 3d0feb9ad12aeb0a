"""How probable are the images, in nats and, where it means something, in bits a dimension?"""

import time

import numpy as np

from tfvae.capabilities import Capability
from tfvae.evaluation import nouns, words
from tfvae.evaluation.batched import at_once, chunk_sizes, map_rows, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import EVALUATED_ROWS, Headline, Measurement
from tfvae.metrics import METRICS
from tfvae.probability import noise

# Rows times classes times draws in one call: with hidden layers of 500 units 40 MB an activation.
_MAX_DRAWS = 20_000
# Likelihoods that are probabilities of gray levels.
_OF_LEVELS = ("discretised_logistic", "categorical", "logistic_mixture")


def log_prob_bounds(model, data, rows, num_samples, seed=0, batch_size=100, max_draws=_MAX_DRAWS):
    """The importance-weighted bound on log p(x) of every row.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: N `Examples`; their observations are drawn with the noise of the transform (binarised, dequantised).
        num_samples: k, draws of the latent variables; 1 is the evidence lower bound.
        seed: of both kinds of noise.
        batch_size: rows in one call.
        max_draws: rows times classes times draws in one call; k is split so that it fits.

    Returns:
        float64 [N], nats.

    Raises:
        ValueError: for `num_samples` below 1.

    Burda et al. 2016, eq. (8).
    """
    if num_samples < 1:
        raise ValueError(f"`num_samples` must be at least 1, got {num_samples}.")
    bound = compiled(model, "log_prob_bound")
    batch_size = at_once(model, min(batch_size, max(1, len(rows))))
    sizes = chunk_sizes(num_samples, max(1, at_once(model, max_draws) // (batch_size * max(1, model.num_classes))))

    def over_chunks(image, index):
        chunks = [
            np.asarray(bound(image, num_samples=size, seed=noise.seed(seed, index, part)), np.float64)
            for part, size in enumerate(sizes)
        ]
        return log_mean_of_chunks(np.stack(chunks), sizes)

    return map_rows(over_chunks, data, rows, batch_size, seed=seed)


def log_mean_of_chunks(bounds, sizes):
    """log (1/k) Σ w over all k draws from the bounds log (1/k_c) Σ w of chunks of k_c draws: [C, N] -> [N].

    A plain mean of the chunks' bounds would be a looser bound than the k draws allow.
    """
    sizes = np.asarray(sizes, np.float64)[:, None]
    return np.logaddexp.reduce(bounds + np.log(sizes), axis=0) - np.log(sizes.sum())


def bits_per_dim(model, data, bound):
    """−log2 p(gray levels) a dimension, or None where the likelihood is no probability of gray levels.

    It is one for families of gray levels on unit intensities, and for a Gaussian on dequantised images, where a change
    of variables undoes the scaling and the density of levels bounds their probability (Theis et al. 2016, section 3.1).

    Args:
        model, data: the model and its `tfvae.data.load.Data`.
        bound: on log p(x) of observations, in nats.
    """
    likelihood = model.likelihood
    transform = data.transform
    dims = int(np.prod(model.image_shape))
    if likelihood in _OF_LEVELS and (transform.config.noise, transform.config.scale) == ("none", "unit"):
        return float(-bound / (dims * np.log(2.0)))
    if likelihood == "gaussian" and transform.config.noise == "dequantise":
        divisor = np.broadcast_to(transform.divisor, transform.raw_shape).reshape(-1)[transform.kept]
        return float(-(bound - np.log(divisor).sum()) / (dims * np.log(2.0)))
    return None


def applies(model, data, rows):
    """Whether the model has a bound, and there are rows."""
    del data
    return model.can(Capability.BOUND) and len(rows) > 0


def measure(model, data, rows, settings):
    """Bounds on the mean log-likelihood of rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: k of the importance-weighted bound, 0 for the one-draw bound alone; the number of rows, a seeded
            random subset; the seed of noise and subset.

    Returns:
        {"bound" (one draw, nats), "bound_rows", "iw_bound" (nats), "iw_samples", "iw_bound_stderr" (of the mean over
        rows), "bits_per_dim" where it exists, of word counts those of `words.perplexities` from the tightest bound and
        "word_perplexity_elbo" from one draw, "log_normaliser", the exact value that the bound of a potential stays
        below, "invalid_rows" where a bound was not finite, "bound_seconds" that all of this took, compilation
        included}. A latent class is summed out exactly in both bounds, so `bound` is at least the −U(x) of training.
    """
    began = time.monotonic()
    rows = subset(rows, settings.rows_limit, settings.seed)
    one = log_prob_bounds(model, data, rows, 1, settings.seed)
    result = {"bound": float(np.mean(one)), "bound_rows": len(rows)}
    tightest = one
    if settings.iw_samples:
        tightest = log_prob_bounds(model, data, rows, settings.iw_samples, settings.seed)
        result |= {
            "iw_bound": float(np.mean(tightest)),
            "iw_samples": settings.iw_samples,
            "iw_bound_stderr": float(np.std(tightest) / np.sqrt(len(rows))),
        }
    bits = bits_per_dim(model, data, float(np.mean(tightest)))
    if bits is not None:
        result["bits_per_dim"] = bits
    if model.likelihood == "poisson":
        result |= words.perplexities(tightest, rows.image)
        result["word_perplexity_elbo"] = words.perplexities(one, rows.image)["word_perplexity"]
    if model.can(Capability.LOG_NORMALISER):
        result["log_normaliser"] = model.log_normaliser()
    if not np.isfinite(tightest).all():
        result["invalid_rows"] = int((~np.isfinite(tightest)).sum())
    return {**result, "bound_seconds": round(time.monotonic() - began, 2)}


def headlines(metrics, data):
    """The tightest bound; of a potential how far the fit is from its target."""
    name = "iw_bound" if metrics.get("iw_bound") is not None else "bound"
    if metrics.get(name) is None:
        return []
    if metrics.get("log_normaliser") is not None:
        return [_fit_headline(metrics)]
    value, meaning = METRICS["bound"].shown(metrics[name]), _meaning(metrics, name, data)
    return [Headline(METRICS["bound"].title, value, meaning, 60, _spread(metrics, name))]


def caveats(metrics, data):
    """That not all rows were asked."""
    rows = metrics.get("bound_rows", len(data.test))
    if rows >= len(data.test):
        return []
    test = nouns.counted(len(data.test), data, "test")
    return [f"The bounds were taken on a random {rows:,} of {test}; --rows=0 takes all."]


def _fit_headline(metrics):
    # Not the importance-weighted bound: with many draws that is tight for any fit, so it would tell nothing of it.
    nats, gap = METRICS["bound"].shown, metrics["log_normaliser"] - metrics["bound"]
    return Headline(
        "Bound on log Z",
        nats(metrics["bound"], 3),
        f"The exact value is {nats(metrics['log_normaliser'], 3)}. The fit diverges from the target by the gap of "
        f"{nats(gap, 3)} at most, up to the noise of {metrics['bound_rows']:,} draws.",
        rank=60,
    )


def _spread(metrics, name):
    """The standard error of the mean over rows, where it was measured."""
    error = metrics.get(f"{name}_stderr")
    return f"±\N{NO-BREAK SPACE}{error:.2f}, the standard error" if error is not None else ""


def _meaning(metrics, name, data):
    """What a bound says: how it was taken, and in bits."""
    how = f"{metrics['iw_samples']} importance-weighted draws" if name == "iw_bound" else "one draw"
    bits = METRICS["bits_per_dim"]
    in_bits = f" {bits.shown(metrics[bits.name], 3)}." if metrics.get(bits.name) is not None else ""
    # The density of an encoder z = f(x, ξ) is not known.
    implicit = metrics.get("stein_discrepancy") is not None
    caveat = " It holds as far as the encoder's map z = f(x, ξ) is one-to-one in ξ." if implicit else ""
    judged, rows = metrics.get(EVALUATED_ROWS, "test"), nouns.counted(metrics["bound_rows"], data)
    return (
        f"The mean log-likelihood of a {judged} {nouns.noun(data)} is at least this: {how}, {rows}. Higher is better; "
        f"comparable only between models of the same observations.{in_bits}{caveat}"
    )


MEASUREMENT = Measurement(applies, measure, headlines, caveats)
