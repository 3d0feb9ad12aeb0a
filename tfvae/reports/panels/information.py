"""How much every latent unit carries."""

from tfvae.capabilities import Capability
from tfvae.evaluation.batched import at_once, observations
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels, some_rows


def draw(model, data, metrics, seed):
    """The KL divergence of every unit from its prior, for models with a code."""
    del metrics
    rows = some_rows(data, seed)
    if not (len(rows) and model.can(Capability.ENCODE) and model.can(Capability.KL_PER_UNIT)):
        return []
    caption = "Units near 0 are not used by the model: their code is the prior's (figure 4a)."
    return [Panel("Information a unit", caption, figures.kl_per_unit(_kl(model, data, rows, seed)))]


def _kl(model, data, rows, seed):
    """variable -> [units], nats."""
    compute, sums = compiled(model, "kl_per_unit"), {}
    for image, count, index in observations(data, rows, at_once(model, 500), seed):
        for name, values in compute(image, noise.seed(seed, index)).items():
            sums[name] = sums.get(name, 0.0) + values.numpy()[:count].sum(axis=0)
    return {name: total / len(rows) for name, total in sums.items()}


PANELS = Panels("inside", draw, rank=30)
