"""How far is an image from its reconstruction, and a code from what is found of it in the image that it makes?"""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import nouns
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import compiled, function_of
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.models.vae import VAE
from tfvae.probability import noise

_ROWS = 500  # In one call.


def applies(model, data, rows):
    """Whether the model reconstructs what has values that can be compared."""
    return model.can(Capability.RECONSTRUCT) and model.likelihood != "poisson" and len(rows) > 0 and not data.words


def measure(model, data, rows, settings):
    """Root mean squares of both ways there and back.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: the number of rows, a seeded random subset, and the seed.

    Returns:
        {"rmse": of x − x̂, in gray levels of 255 for images and in their own units for points, exact observations and
        the code's mean; and of models of one code with a decoder of it "z_rmse": of z − ẑ a unit, z from the prior, x a
        draw of p(x | z), ẑ the mean of q(z | x), which is 1 for an encoder that finds nothing}.
    """
    rows = subset(rows, settings.rows_limit, settings.seed)
    reconstruct, size = compiled(model, "reconstruct"), at_once(model, _ROWS)

    def errors(image, index):
        del index
        there, back = (data.transform.picture(x) for x in (tf.constant(image), reconstruct(image)))
        return tf.reduce_mean(tf.reshape((there - back) ** 2, [len(image), -1]), axis=1)

    levels = 255.0 if nouns.noun(data) == "image" else 1.0
    found = {"rmse": levels * float(np.sqrt(np.mean(map_rows(errors, data, rows, size))))}
    return found | ({"z_rmse": _of_codes(model, size, settings.seed)} if isinstance(model, VAE) else {})


def _of_codes(model, size, seed):
    parts = range(max(1, _ROWS // size))
    errors = [function_of(model, _code_errors)(tf.zeros([size]), noise.seed(seed, part)) for part in parts]
    return float(np.sqrt(np.mean(errors)))


def _code_errors(model, rows, seed):
    """Mean squares of z − ẑ by rows, of draws of the prior."""
    z_seed, x_seed = noise.split(seed, 2)
    z = model.p_z.sample(tf.shape(rows)[0], seed=z_seed)
    x = model.decode(z).sample(seed=x_seed)
    return tf.reduce_mean((z - model.encode(x).mean()) ** 2, axis=-1)


def headlines(metrics, data):
    """The error of observations, and in its words that of codes."""
    if metrics.get("rmse") is None:
        return []
    unit = "gray levels" if nouns.noun(data) == "image" else ""
    value = f"{metrics['rmse']:.2f}\N{NO-BREAK SPACE}{unit}".strip()
    meaning = f"The root mean square between {nouns.plural(data)} and their reconstructions."
    if metrics.get("z_rmse") is not None:
        meaning += (
            f" Of codes that were drawn and found again in what they make it is {metrics['z_rmse']:.2f} a unit, of at "
            "most about 1."
        )
    return [Headline("Reconstruction error", value, meaning, rank=65)]


MEASUREMENT = Measurement(
    applies,
    measure,
    headlines,
    metrics=(
        Metric("rmse", "Root mean square of reconstructions", "gray levels"),
        Metric("z_rmse", "The same of codes", ""),
    ),
)
