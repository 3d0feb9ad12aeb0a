"""How probable are gray levels, where a Gaussian has a density of them: by the mass of the cell that each one owns."""

import numpy as np
import tensorflow as tf

from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import function_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.models.vae import VAE
from tfvae.probability import families, noise

_DRAWS = 20


def applies(model, data, rows):
    """Whether the model has a Gaussian of dequantised gray levels."""
    dequantised = data.transform.config.noise == "dequantise" and not data.transform.drops
    return isinstance(model, VAE) and model.likelihood == "gaussian" and dequantised and len(rows) > 0


def measure(model, data, rows, settings):
    """Bits a dimension by p(level | z) = p(level ≤ x < level + 1 | z), which sums to 1 over levels.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: the number of rows, a seeded random subset, and the seed.

    Returns:
        {"cell_bits_per_dim": the negative bound of one draw, "cell_iw_bits_per_dim": of 20 importance-weighted draws}.

    Pu 2017, section 5.3.1; q(z | x) reads the middle of every cell.
    """
    rows = subset(rows, settings.rows_limit, settings.seed)
    width = tf.constant(1.0 / np.broadcast_to(data.transform.divisor, data.transform.raw_shape), tf.float32)
    width = tf.reshape(width, model.image_shape)

    def log_weights(image, index):
        drawn = function_of(model, _log_weights)(image, width, noise.seed(settings.seed, index))
        return tf.transpose(drawn)

    found = map_rows(log_weights, data, rows, at_once(model, 2000) // _DRAWS or 1).astype(np.float64)
    per_bit = -np.log(2.0) * float(np.prod(model.image_shape))
    weighted = np.logaddexp.reduce(found, axis=1) - np.log(_DRAWS)
    return {
        "cell_bits_per_dim": float(found.mean() / per_bit),
        "cell_iw_bits_per_dim": float(weighted.mean() / per_bit),
    }


def _log_weights(model, image, width, seed):
    """log p(level | z) + log p(z) − log q(z | x): [S, B]."""
    q_z = model.encode(image)
    z = q_z.sample(_DRAWS, seed=seed)
    log_p_x = families.log_prob_of_cells(model.decode(z), tf.broadcast_to(image, [_DRAWS, *image.shape]), width)
    return log_p_x + model.p_z.log_prob(z) - q_z.log_prob(z)


def headlines(metrics, data):
    """The bits of the one-draw bound, which is what the source prints."""
    del data
    if metrics.get("cell_bits_per_dim") is None:
        return []
    meaning = (
        "The negative bound on the log probability of gray levels, each by the mass that the Gaussian gives to "
        f"its cell; with {_DRAWS} importance-weighted draws {metrics['cell_iw_bits_per_dim']:.2f}. Lower is better; 8 "
        "is guessing."
    )
    return [Headline("Bits a dimension", f"{metrics['cell_bits_per_dim']:.2f}", meaning, rank=62)]


MEASUREMENT = Measurement(
    applies, measure, headlines, metrics=(Metric("cell_bits_per_dim", "Negative bound of cells", "bits a dimension"),)
)
