"""Does the decoder look at its code? A powerful one may explain images without it, and the code is then noise."""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import nouns
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import compiled, function_of, mean_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.probability import noise

GAIN = Metric("code_gain", "Loss of log p(x) with another image's code", "nats", True)
ACTIVE = Metric("active_units", "Active units of the code", "", True)
# A unit's posterior mean varies at least so much between images (Burda et al. 2016, section 5.2).
_ACTIVE_VARIANCE = 0.01
_ROWS = 1000
_LITTLE = 1.0  # Nats.


def applies(model, data, rows):
    """Whether log p(x | z) can be asked of any code, and there are two rows at least."""
    del data
    return model.can(Capability.CODE_LIKELIHOOD) and len(rows) > 1


def measure(model, data, rows, settings):
    """How much a code tells of its image.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: test `Examples`; at most 1,000 of them are taken.
        settings: the seed of codes and observations.

    Returns:
        {"code_gain": log p(x | z) − log p(x | z'), z' the code of another image, nats, the mean over rows;
        "active_units" of "latent_units"; "kl": KL(q(z | x) ‖ p(z)), nats}.
    """
    rows = subset(rows, min(_ROWS, settings.rows_limit or _ROWS), settings.seed)
    batch_size, encode = at_once(model, 100), mean_of(model, "encode")
    gain = map_rows(
        lambda image, index: _gain(model, image, noise.seed(settings.seed, index)),
        data,
        rows,
        batch_size,
        settings.seed,
    )
    kl_per_unit = compiled(model, "kl_per_unit")
    kl = map_rows(lambda image, _: kl_per_unit(image, noise.seed(0))["z"], data, rows, batch_size)
    means = map_rows(lambda image, _: encode(image), data, rows, batch_size)
    return {
        GAIN.name: float(np.mean(gain)),
        ACTIVE.name: int(np.sum(np.var(means, axis=0) > _ACTIVE_VARIANCE)),
        "latent_units": means.shape[1],
        "kl": float(np.mean(np.sum(kl, axis=1))),
    }


def _gain(model, image, seed):
    return function_of(model, _own_less_other)(tf.constant(image), seed)


def _own_less_other(model, image, seed):
    """log p(x | z) − log p(x | z') with the codes of the batch moved on by one row: [B]."""
    z = model.codes(image, 1, seed)
    own, other = (model.log_likelihood_of_code(image, code)[0] for code in (z, tf.roll(z, 1, axis=1)))
    return own - other


def headlines(metrics, data):
    """Both numbers in one line."""
    if metrics.get(GAIN.name) is None:
        return []
    units = f"{metrics[ACTIVE.name]} of {metrics['latent_units']} units active"
    meaning = (
        f"So much less probable is a held-out {nouns.noun(data)} with the code of another one; {units}, "
        f"KL {GAIN.shown(metrics['kl'])}."
    )
    return [Headline(GAIN.title, GAIN.shown(metrics[GAIN.name], 1), meaning, 70)]


def caveats(metrics, data):
    """That the code is not used."""
    del data
    if metrics.get(GAIN.name) is None or metrics[GAIN.name] >= _LITTLE:
        return []
    return [
        f"The decoder ignores its code: with another image's code log p(x) falls by {GAIN.shown(metrics[GAIN.name])} "
        "only. Raise `model.free_bits`, warm up the KL (`model.kl_warmup_steps`), or take a weaker decoder."
    ]


MEASUREMENT = Measurement(applies, measure, headlines, caveats, metrics=(GAIN, ACTIVE))
