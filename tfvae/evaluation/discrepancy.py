"""How far are draws of q(z | x) from the posterior by Stein's identity, which needs its score alone?"""

from tfvae.capabilities import Capability
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Measurement
from tfvae.probability import noise

_ROWS = 100
_DRAWS = 100
_MAX_DRAWS = 1000  # Rows times draws in one call.


def applies(model, data, rows):
    """Whether the model gives its discrepancy, and there are rows."""
    del data
    return model.can(Capability.STEIN_DISCREPANCY) and len(rows) > 0


def measure(model, data, rows, settings):
    """The kernelised Stein discrepancy of q(z | x) from the posterior.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, of which a hundred are chosen by the seed.
        settings: the seed of choice and draws.

    Returns:
        {"stein_discrepancy": the mean over rows of the squared kernelised Stein discrepancy of q's draws from the
        posterior}, about 0 for draws of it; in the units of a squared score, so comparable between fits of one model
        alone.
    """
    rows, seed = subset(rows, _ROWS, settings.seed), settings.seed
    discrepancy = compiled(model, "stein_discrepancy")
    size = max(1, at_once(model, _MAX_DRAWS) // _DRAWS)
    found = map_rows(
        lambda image, _: discrepancy(image, num_samples=_DRAWS, seed=noise.seed(seed)), data, rows, size, seed
    )
    return {"stein_discrepancy": float(found.mean())}


MEASUREMENT = Measurement(applies, measure)
