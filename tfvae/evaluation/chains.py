"""Do chains that infer the same images agree? A code that another chain does not find again is no feature."""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import nouns
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric, shown
from tfvae.probability import chains, noise

_ROWS, _CHAINS, _DRAWS = 50, 4, 100
# A unit whose chains differ by more has not converged (Gelman et al. 2013, section 11.5).
_CONVERGED = 1.1
# Codes of two chains that are less alike than that are not the image's, but the chain's.
_REPEATABLE = 0.5


def applies(model, data, rows):
    """Whether codes are inferred by a Markov chain."""
    del data
    return model.can(Capability.CHAIN) and len(rows) > 1


def measure(model, data, rows, settings):
    """Four chains of a hundred draws on fifty rows.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`, of which fifty are chosen by the seed.
        settings: the seed.

    Returns:
        {"code_repeatability": the correlation of a code's units, about their means over rows, between the means of two
        chains; "code_rhat": the median over rows and units of the potential scale reduction; "code_not_converged": the
        share of them above 1.1; "code_ess": the median number of independent draws that the four hundred are worth;
        "chain_rows"}.
    """
    rows = subset(rows, min(_ROWS, at_once(model, _ROWS)), settings.seed)
    image, chain = tf.constant(np.asarray(data.observe(rows))), compiled(model, "chain_of_codes")
    draws = [chain(image, num_draws=_DRAWS, seed=noise.seed(settings.seed, i)) for i in range(_CHAINS)]
    return {**diagnosed(np.stack(draws, axis=1)), "chain_rows": len(rows)}


def diagnosed(draws):
    """The entries of `measure` for draws [S, J, B, Z] of J chains.

    A unit that never moves, as of a map that is off in all draws, has no R-hat; it is left out.
    """
    moves = draws.std(axis=(0, 1)) > 0
    rhat, ess = chains.scale_reduction(draws)[moves], chains.effective_size(draws)[moves]
    return {
        "code_repeatability": repeatability(draws.mean(axis=0)),
        "code_rhat": float(np.median(rhat)),
        "code_not_converged": float(np.mean(~(rhat < _CONVERGED))),
        "code_ess": float(np.median(ess)),
    }


def repeatability(codes):
    """The correlation between chains of codes [J, B, Z], about each unit's mean over rows, over all pairs of chains."""
    centred = (codes - codes.mean(axis=1, keepdims=True)).reshape(len(codes), -1)
    return float(np.corrcoef(centred)[np.triu_indices(len(codes), 1)].mean())


def headlines(metrics, data):
    """How alike two chains' codes are."""
    if metrics.get("code_repeatability") is None:
        return []
    meaning = (
        f"How much the codes that two chains infer of the same {nouns.plural(data)} are alike: 1 where a code is the "
        f"image's own, 0 where it is an accident of the chain. R-hat is {metrics['code_rhat']:.2f} in the middle and "
        f"above {_CONVERGED} for {shown(metrics['code_not_converged'], '%')} of the code; {_CHAINS * _DRAWS} draws are "
        f"worth {metrics['code_ess']:.0f}. {nouns.counted(metrics['chain_rows'], data)}."
    )
    return [Headline("Correlation of two chains' codes", f"{metrics['code_repeatability']:.2f}", meaning, rank=66)]


def caveats(metrics, data):
    """Words for codes that are not the image's."""
    del data
    if metrics.get("code_repeatability") is None or metrics["code_repeatability"] > _REPEATABLE:
        return []
    return [
        f"Two chains find different codes of the same image (correlation {metrics['code_repeatability']:.2f}): maps "
        "carry the image, and what a classifier learns of codes does not last. Lower `model.max_noise_precision`."
    ]


MEASUREMENT = Measurement(
    applies,
    measure,
    headlines,
    caveats,
    metrics=(Metric("code_repeatability", "Correlation of two chains' codes", "", True),),
)
