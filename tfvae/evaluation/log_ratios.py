"""Do critics say what they stand for, and is the equilibrium reached, where every density is known?"""

import numpy as np

from tfvae.batch import IMAGE
from tfvae.evaluation.batched import subset
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.models.asvae import ASVAE
from tfvae.networks import linear
from tfvae.probability import noise
from tfvae.probability.known_gaussians import LinearPair

_ROWS = 2000


def applies(model, data, rows):
    """Whether the model is linear both ways, so that with Gaussian data all its laws are Gaussian."""
    del data
    return isinstance(model, ASVAE) and isinstance(model.config.network, linear.Config) and len(rows) > 2


def law(model, data):
    """`LinearPair` of a model and its data, whose law is taken to be the Gaussian with the training rows' moments."""
    points = np.asarray(data.train[IMAGE], np.float64)
    layers = model.p_x_given_z.trunk, model.q_z_given_x.trunk
    return LinearPair(*(layer.law() for layer in layers), points.mean(axis=0), np.cov(points, rowvar=False))


def measure(model, data, rows, settings):
    """Critics beside true log ratios, and the divergences of the joints.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, of which two thousand are chosen by the seed.
        settings: the seed.

    Returns:
        {"f1_correlation": of f1 with log q(x, z) − log p(x) p(z) at draws of q(x, z), "f2_correlation": of f2 with
        log p(x, z) − log q(x) q(z) at draws of p(x, z), for the critics that there are; "kl_q_p" and "kl_p_q", of the
        joints, exact, nats; "log_ratio_mean", the mutual information that both are at the equilibrium, nats}.
    """
    rows = subset(rows, _ROWS, settings.seed)
    pairs = model.pairs(data.observe(rows), noise.seed(settings.seed))
    known = law(model, data)
    f1, _ = known.log_ratios(np.array(pairs.x), np.array(pairs.z_of_x))
    _, f2 = known.log_ratios(np.array(pairs.x_of_z), np.array(pairs.z))
    found = {"log_ratio_mean": float(f1.mean())}
    for name, truth, network, x, z in (
        ("f1", f1, model.critic1, pairs.x, pairs.z_of_x), ("f2", f2, model.critic2, pairs.x_of_z, pairs.z),
    ):  # fmt: skip
        if network is not None:
            said = getattr(model, name)(x, z, model.encode(x).log_prob(z))
            found[f"{name}_correlation"] = float(np.corrcoef(said, truth)[0, 1])
    return {**found, **dict(zip(("kl_q_p", "kl_p_q"), known.divergences()))}


def headlines(metrics, data):
    """The divergences, and the correlations."""
    del data
    if metrics.get("kl_q_p") is None:
        return []
    said = {name: metrics.get(f"{name}_correlation") for name in ("f1", "f2")}
    told = [f"{name} {value:.3f}" for name, value in said.items() if value is not None]
    meaning = (
        f"KL(q(x, z) ‖ p(x, z)) in nats, exact; the other way round {metrics['kl_p_q']:.4f}. At the equilibrium both "
        f"are 0. Correlation of the critics with the log ratios that they stand for: {', '.join(told) or 'none'}."
    )
    return [Headline("Divergence of the joints", f"{metrics['kl_q_p']:.4f}", meaning, rank=55)]


MEASUREMENT = Measurement(applies, measure, headlines)
