"""A potential beside the density that was fitted to it."""

from tfvae.capabilities import Capability
from tfvae.evaluation.compiled import compiled
from tfvae.probability import noise
from tfvae.reports import figures
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """The target and a histogram of draws, for potentials."""
    del data, metrics
    if not model.can(Capability.LOG_NORMALISER):
        return []
    samples = compiled(model, "sample")(20_000, noise.seed(seed)).numpy()
    drawn = figures.potential(model.p_z.log_prob, samples, model.p_z.edge, model.config.prior.upper())
    caption = "Left the target, right a histogram of draws from q(z) (figures 2a, 2b)."
    return [Panel("True and fitted density", caption, drawn)]


PANELS = Panels("inside", draw)
